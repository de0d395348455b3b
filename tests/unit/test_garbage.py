"""When Python looks for garbage in processes that answer updates."""

import subprocess
import sys

_TELL = "import gc; print(gc.get_threshold()[0], gc.get_freeze_count() > 10_000)"


def _told(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", f"{code}; {_TELL}"], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_python_looks_for_garbage_seldom_and_not_among_what_was_there_before() -> None:
    assert _told("from botyard.garbage import collect_seldom; import telegram; collect_seldom()") == "20000 True"


def test_children_of_a_worker_are_forked_from_a_process_that_looks_seldom() -> None:
    code = "import os; os.environ['ENVIRONMENT'] = 'production'; import tasks.processes; tasks.processes._before_fork()"
    assert _told(code) == "20000 True"
