"""The commands where nothing runs: one line that says what to do, and no traceback."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import botyard
from tests.e2e.running import Run


@pytest.fixture
def alone(tmp_path: Path) -> dict[str, str]:
    return Run(tmp_path / "state").environment


@pytest.mark.parametrize(
    "words",
    [
        "status", "bot list", "bot show x", "bot why x", "bot pause x", "bot resume x", "bot add", "bot remove x --yes",
        "dead list", "dead show 1", "dead replay 1", "dead discard 1 --yes", "logs",
    ],
)  # fmt: skip
def test_every_command_says_that_nothing_runs_and_how_to_start(alone: dict[str, str], words: str) -> None:
    ended = botyard(alone, *words.split())
    assert (ended.returncode, ended.stdout) == (3, "")
    assert "`botyard run`" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert len(ended.stderr.splitlines()) <= 2


def test_the_doctor_works_with_nothing_running_and_says_how_to_start(alone: dict[str, str]) -> None:
    ended = botyard(alone, "doctor", "--json")
    assert ended.returncode == 1
    found = json.loads(ended.stdout)
    troubles = {one["check"]: one for one in found if one["state"] == "trouble"}
    assert set(troubles) == {"processes", "PostgreSQL", "SECRET_KEY", "Redis"}
    assert troubles["processes"]["remedy"] == "Start it with `botyard run`."
    assert ended.stderr == ""


def test_an_unknown_command_is_wrong_use(alone: dict[str, str]) -> None:
    program = Path(sys.executable).parent / "botyard"
    assert subprocess.run([program, "dance"], env=alone, capture_output=True, check=False).returncode == 2
    assert botyard(alone, "dead", "replay").returncode == 3, "what is chosen is looked at where there is something"
