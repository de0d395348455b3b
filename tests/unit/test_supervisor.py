import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from botyard.errors import InputError
from botyard.supervisor import Console, ProcessStatus, StateFolder, read_status, running_pid
from botyard.supervisor.console import LogFile
from botyard.supervisor.spawning import read_lines
from botyard.supervisor.state import MARK, stop_leftovers

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def record(pid: int, started: float) -> ProcessStatus:
    return ProcessStatus("web", pid, started, restarts=0, stop_signal=signal.SIGTERM)


def test_lines_carry_the_name_and_no_colour_outside_a_terminal() -> None:
    reading, writing = os.pipe()
    console = Console(writing, width=4)
    console("web", "hello")
    console.close()
    assert os.read(reading, 1000) == b"web  | hello\n"
    os.close(reading)
    os.close(writing)


def test_each_name_has_a_colour_of_its_own_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    screen, terminal = os.openpty()
    console = Console(terminal)
    console("web", "hello")
    console("beat", "tick")
    console.close()
    colours = [line.split(b"m", 1)[0] for line in os.read(screen, 1000).splitlines()]
    assert len(set(colours)) == 2
    assert all(colour.startswith(b"\x1b[") for colour in colours)
    os.close(screen)
    os.close(terminal)


def test_a_paused_terminal_and_one_that_is_closed_hold_up_nobody() -> None:
    reading, writing = os.pipe()
    console = Console(writing)
    began = time.monotonic()
    for number in range(20_000):
        console("web", f"nobody reads line {number}")
    assert time.monotonic() - began < 1
    os.close(reading)
    console.close()
    assert not console._writer.is_alive()
    os.close(writing)


def test_a_log_file_keeps_one_older_file_and_stays_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botyard.supervisor.console._LOG_BYTES", 100)
    log = LogFile(tmp_path / "logs" / "web.log")
    for number in range(50):
        log.write(f"line {number}")
    log.close()
    files = sorted(tmp_path.joinpath("logs").iterdir())
    assert [file.name for file in files] == ["web.log", "web.log.1"]
    assert all(file.stat().st_size <= 110 and file.stat().st_mode & 0o777 == 0o600 for file in files)


async def test_long_broken_and_unfinished_lines_are_all_read() -> None:
    reading, writing = os.pipe()
    lines: list[str] = []
    reader = asyncio.create_task(read_lines(reading, lines.append))
    await asyncio.to_thread(_write_all, writing, b"one\r\n\xff\n" + b"x" * 200_000 + b"\nlast")
    await reader
    assert lines[:2] == ["one", "�"]
    assert "".join(lines[2:-1]) == "x" * 200_000
    assert lines[-1] == "last"


def _write_all(descriptor: int, data: bytes) -> None:
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)


def test_a_process_with_another_start_time_is_never_touched(tmp_path: Path) -> None:
    stranger = subprocess.Popen(SLEEP, start_new_session=True)
    try:
        began = psutil.Process(stranger.pid).create_time()
        stop_leftovers([record(stranger.pid, began - 3600)], str(tmp_path))
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_an_orphan_counts_only_with_our_mark(tmp_path: Path) -> None:
    leader = subprocess.Popen(["true"], process_group=0)
    orphans = [
        subprocess.Popen(SLEEP, process_group=leader.pid, env={**os.environ, MARK: mark})
        for mark in (str(tmp_path), "/another/folder")
    ]
    leader.wait()
    try:
        stop_leftovers([record(leader.pid, time.time())], str(tmp_path))
        assert orphans[0].wait(5) == -signal.SIGKILL
        assert orphans[1].poll() is None
    finally:
        for orphan in orphans:
            orphan.kill()
            orphan.wait()


def test_the_folder_is_private_and_tells_who_runs_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    assert running_pid(folder) is None
    with StateFolder(folder) as state:
        assert folder.stat().st_mode & 0o777 == 0o700
        assert running_pid(folder) == os.getpid()
        entry = ProcessStatus("web", None, None, restarts=3, stop_signal=15)
        state.write_status([entry])
        assert read_status(folder) == [entry]
    assert running_pid(folder) is None


def test_a_second_supervisor_in_the_folder_is_refused_in_one_line(tmp_path: Path) -> None:
    with StateFolder(tmp_path), pytest.raises(InputError) as refusal, StateFolder(tmp_path):
        pass
    assert "already running" in str(refusal.value)
    assert f"(pid {os.getpid()})" in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("content", ["", "{", "[1]", '[{"name": "web"}]', "null"])
def test_a_broken_record_is_no_record(tmp_path: Path, content: str) -> None:
    (tmp_path / "status.json").write_text(content)
    assert read_status(tmp_path) == []


def test_a_state_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    with pytest.raises(InputError, match="STATE_DIR"), StateFolder(tmp_path / "state"):
        pass
