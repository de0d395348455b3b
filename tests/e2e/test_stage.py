"""``botyard test-bot`` and the pytest fixture: a bot's dialogues, on a Botyard started for them."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

BOTS = Path(__file__).parents[1] / "idiomatic" / "bots"


def run(*words: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=170, check=False)


@pytest.mark.timeout(180)
def test_dialogues_are_played_and_what_goes_wrong_is_shown(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yml"
    wrong.write_text("steps:\n  - say: hello\n  - expect: something else\n")
    told = run("botyard.cli", "test-bot", str(BOTS / "echo.py"), str(BOTS / "echo.yml"), str(wrong), folder=tmp_path)
    assert told.returncode == 1, told.stderr
    assert f"{BOTS / 'echo.yml'}: as expected." in told.stdout
    assert "wrong.yml:3: step 2: expect" in told.stderr
    assert "something else" in told.stderr
    left = [process for process in psutil.process_iter(["cmdline"]) if "botyard-stage-" in str(process.info["cmdline"])]
    assert left == []


@pytest.mark.timeout(60)
def test_a_bot_that_cannot_run_is_said_before_anything_is_started(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("x = 1")
    (tmp_path / "mine.yml").write_text("steps:\n  - say: hello\n")
    told = run("botyard.cli", "test-bot", "mine.py", "mine.yml", folder=tmp_path)
    assert told.returncode == 1
    assert "it ended, and built no application" in told.stderr


@pytest.mark.timeout(180)
def test_pytest_finds_the_fixture(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(
        "def test_echo(play_dialogue):\n"
        f"    assert play_dialogue({str(BOTS / 'echo.py')!r}, {str(BOTS / 'echo.yml')!r})\n"
    )
    told = run("pytest", "-q", "-p", "no:cacheprovider", "test_mine.py", folder=tmp_path)
    assert "1 passed" in told.stdout, told.stdout
