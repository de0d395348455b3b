"""When Python looks for garbage in processes that answer updates."""

import subprocess
import sys

import pytest

_TELL = "import gc; print(gc.get_threshold()[0], gc.get_freeze_count() > 10_000)"


def _told(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", f"{code}; {_TELL}"], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_python_looks_for_garbage_seldom_and_not_among_what_was_there_before() -> None:
    assert _told("from botyard.garbage import collect_seldom; import telegram; collect_seldom()") == "20000 True"


@pytest.mark.parametrize(
    ("package", "loads"), [("tasks", "tasks.load_tasks()"), ("botyard.web", "botyard.web.app")], ids=["worker", "web"]
)
def test_python_looks_seldom_while_a_process_imports(package: str, loads: str) -> None:
    code = (
        f"import gc, os, {package}; os.environ['REDIS_URL'] = 'redis://none'; looks = []; "
        f"gc.callbacks.append(lambda phase, _: looks.append(phase)); {loads}; print(len(looks))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(ran.stdout) < 100, "of more than five hundred"


def test_children_of_a_worker_are_forked_from_a_process_that_looks_seldom() -> None:
    code = "import os; os.environ['ENVIRONMENT'] = 'production'; import tasks.processes; tasks.processes._before_fork()"
    assert _told(code) == "20000 True"
