"""What goes wrong at a start has its sentence, damages nothing, and the next start works."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from botyard.supervisor.state import MARK
from tests.e2e.running import Run
from tests.e2e.yard import Simulator, wait_until

COMMAND = [sys.executable, "-m", "botyard.cli", "run"]
PERSON = 6_700_000_000


def _end(run: Run) -> str:
    """What a start says that ends by itself."""
    ended = subprocess.run(COMMAND, env=run.environment, capture_output=True, text=True, timeout=90, check=False)
    assert ended.returncode == 1, ended.stdout
    return ended.stdout + ended.stderr


def _processes_of(state: Path) -> list[psutil.Process]:
    """Every process that belongs to this state folder, whoever started it."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == str(state) or any(str(state) in word for word in process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return [process for process in found if process.pid != os.getpid()]


def test_a_folder_of_a_newer_version_is_left_as_it_is(run: Run, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "format").write_text("2\n")
    told = _end(run)
    assert f"{state} was used by a newer version of Botyard (format 2, this version knows 1)" in told
    assert [path.name for path in state.iterdir()] == ["format"]


@pytest.mark.timeout(180)
def test_a_start_killed_at_any_moment_is_made_good_by_the_next(run: Run, tmp_path: Path) -> None:
    state = tmp_path / "state"
    moments: list[tuple[str, Callable[[], bool], float]] = [
        ("the folder is there", state.exists, 0),
        ("the secrets are there", (state / "secrets.json").exists, 0),
        ("the database is being made", lambda: any(state.glob(".postgres-new-*")), 0),
        ("and a little later", lambda: any(state.glob(".postgres-new-*/data/base")), 0.2),
        ("the database was made", (state / "postgres").exists, 0),
        ("the servers start", lambda: '"postgres"' in _read(state / "status.json"), 0),
        ("the tables are being made", (state / "postgres" / "postmaster.pid").exists, 1),
        ("the workers start", lambda: '"threads"' in _read(state / "status.json"), 0.5),
    ]
    for what, reached, further in moments:
        with subprocess.Popen(COMMAND, env=run.environment, stdout=subprocess.DEVNULL) as killed:
            wait_until(reached, 60, what)
            time.sleep(further)
            assert killed.poll() is None, what
            killed.send_signal(signal.SIGKILL)
    run.start()
    assert run.process
    ours = {run.process.pid, *(child.pid for child in psutil.Process(run.process.pid).children(recursive=True))}
    assert [process for process in _processes_of(state) if process.pid not in ours] == []
    assert not list(state.glob(".postgres-new-*"))
    second = _end(run)
    assert f"already running in {state} (pid {run.process.pid})" in second
    _is_answered(run, "1")
    run.interrupt()


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _is_answered(run: Run, text: str) -> None:
    simulator = Simulator(int(run.environment["SIMULATOR_PORT"]))
    bot = simulator.get("/sim/bots")["bots"][0]["id"]
    simulator.post("/sim/batch", bot_id=bot, messages=[{"person_id": PERSON, "text": text}])
    wait_until(simulator.settled, 60, "the webhook took the message")

    def answered() -> bool:
        calls = [event for event in simulator.history() if event["kind"] == "call" and event["method"] == "sendMessage"]
        return any(text in call["params"]["text"] for call in calls)

    wait_until(answered, 60, "the bot answered")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of 20 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", folder], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.timeout(240)
def test_a_full_disk_is_named_and_damages_nothing_at_the_first_start_or_later(run: Run, small_disk: Path) -> None:
    state = small_disk / "state"
    run.environment["STATE_DIR"] = str(state)
    assert "there is no room left on the disk" in _end(run)

    subprocess.run(["mount", "-o", "remount,size=300m", small_disk], check=True)
    run.start()
    _is_answered(run, "1")
    ballast = small_disk / "ballast"
    _fill(ballast)
    simulator = Simulator(int(run.environment["SIMULATOR_PORT"]))
    bot = simulator.get("/sim/bots")["bots"][0]["id"]
    simulator.post("/sim/batch", bot_id=bot, messages=[{"person_id": PERSON, "text": f"full {n}"} for n in range(5)])
    time.sleep(3)
    ballast.unlink()
    _is_answered(run, "after it")
    run.interrupt()

    _fill(ballast)
    assert "there is no room left on the disk" in _end(run)
    ballast.unlink()
    run.start()
    _is_answered(run, "in the end")
    run.interrupt()


def _fill(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 65536)
        except OSError:
            pass
