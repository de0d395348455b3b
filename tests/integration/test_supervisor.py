import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import psutil
import pytest

from botyard.errors import InputError
from botyard.supervisor import Process, StateFolder, Step, Supervisor, read_status

DEADLINE = 15.0

# A parent whose child outlives it unless somebody takes care; both write their ids into a file.
FAMILY = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open(sys.argv[1], "w").write(f"{os.getpid()} {child.pid}")
print("family is here", flush=True)
time.sleep(60)
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("stubborn is here", flush=True)
time.sleep(60)
"""
MAIN = """
import asyncio, json, sys
from pathlib import Path
from botyard.errors import InputError
from botyard.supervisor import Process, StateFolder, Supervisor

async def main():
    output = lambda name, line: print(name, line, flush=True)
    with StateFolder(Path(sys.argv[1])) as state:
        processes = [Process(**options) for options in json.loads(sys.argv[2])]
        supervisor = Supervisor(processes, state=state, output=output)
        return await supervisor.run(lambda: output("botyard", "all ready"))

try:
    sys.exit(asyncio.run(main()))
except InputError as error:
    sys.exit(str(error))
"""


def python(code: str, *argv: str) -> list[str]:
    return [sys.executable, "-u", "-c", code, *argv]


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE):
        while True:
            if condition():
                return
            await asyncio.sleep(0.02)


class Yard:
    """A supervisor in this process, with what it wrote."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lines: list[tuple[str, str]] = []
        self.ready = False
        self.supervisor: Supervisor

    @contextlib.asynccontextmanager
    async def run(self, *processes: Process | Step) -> AsyncIterator[asyncio.Task[int]]:
        with StateFolder(self.folder) as state:
            self.supervisor = Supervisor(
                processes, state=state, output=lambda name, line: self.lines.append((name, line))
            )
            task = asyncio.create_task(self.supervisor.run(self._on_ready))
            try:
                yield task
            finally:
                self.supervisor.stop()
                await asyncio.wait_for(task, DEADLINE)

    def _on_ready(self) -> None:
        self.ready = True

    def pid(self, name: str) -> int | None:
        return {entry.name: entry.pid for entry in self.supervisor.processes()}.get(name)

    def said(self, text: str) -> list[str]:
        return [line for _, line in self.lines if text in line]


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return Yard(tmp_path / "state")


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Path]:
    """The file in which FAMILY writes its ids; whoever is left at the end is a fault of the test's subject."""
    yield (file := tmp_path / "family")
    if file.exists():
        for pid in map(int, file.read_text().split()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def family_of(file: Path) -> list[int]:
    return [int(pid) for pid in file.read_text().split()] if file.exists() else []


async def test_everything_starts_and_ends_with_code_zero(yard: Yard) -> None:
    async with yard.run(Process("web", python("print('hello'); import time; time.sleep(60)"))) as running:
        await until(lambda: yard.ready)
        assert ("web", "hello") in yard.lines
        pid = yard.pid("web")
        assert pid
        assert [entry.pid for entry in read_status(yard.folder)] == [pid]
        yard.supervisor.stop()
        assert await running == 0
    assert not alive(pid)
    assert [entry.pid for entry in read_status(yard.folder)] == [None]


async def test_a_killed_child_comes_back_while_the_others_go_on(yard: Yard) -> None:
    sleeping = python("import time; time.sleep(60)")
    async with yard.run(Process("web", sleeping), Process("beat", sleeping)):
        await until(lambda: yard.ready)
        first, other = yard.pid("web"), yard.pid("beat")
        assert first
        os.kill(first, signal.SIGKILL)
        await until(lambda: yard.pid("web") not in {None, first})
        assert yard.pid("beat") == other
        assert {entry.name: entry.restarts for entry in read_status(yard.folder)} == {"web": 1, "beat": 0}
        assert yard.said("web ended by signal 9 (Killed), starting it again in 0.2 s")


async def test_stages_start_in_order_and_stop_in_reverse(yard: Yard) -> None:
    loud = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(print("stops")))
print("starts", flush=True)
time.sleep(60)
"""
    opened = asyncio.Event()

    async def ready() -> bool:
        return opened.is_set()

    database = Process("database", python(loud), ready=ready)
    migrate = Step("migrate", python("print('tables')"), stage=1)
    web = Process("web", python(loud), stage=1)
    async with yard.run(web, migrate, database) as running:
        await until(lambda: ("database", "starts") in yard.lines)
        assert not yard.said("web")
        opened.set()
        await until(lambda: yard.ready and ("web", "starts") in yard.lines)
        yard.supervisor.stop()
        assert await running == 0
    told = [entry for entry in yard.lines if entry[0] != "botyard"]
    assert told == [("database", "starts"), ("web", "starts"), ("web", "stops"), ("database", "stops")]


async def test_a_failed_step_shows_its_output_and_ends_the_start(yard: Yard, tmp_path: Path) -> None:
    failing = Step("migrate", python("print('no such column'); raise SystemExit(3)"))
    web = Process("web", python(f"open({str(tmp_path / 'web')!r}, 'w')"), stage=1)
    async with yard.run(failing, web) as running:
        assert await running == 1
    assert ("migrate", "no such column") in yard.lines
    assert yard.said("migrate failed with exit code 3.")
    assert not (tmp_path / "web").exists()


async def test_a_crash_loop_at_the_start_ends_it_with_one_line(yard: Yard) -> None:
    good = Process("database", python("import time; time.sleep(60)"))
    bad = Process("web", python("print('no module named bots'); raise SystemExit(1)"), stage=1)
    async with yard.run(good, bad) as running:
        assert await running == 1
    assert yard.lines[-1][0] == "botyard"
    assert yard.said("web ended 5 times at the start") == [
        "web ended 5 times at the start, the last time with exit code 1."
    ]
    assert yard.said("no module named bots")
    assert not yard.ready


async def test_a_command_that_does_not_exist_is_named(yard: Yard) -> None:
    async with yard.run(Process("web", ["/no/such/program"])) as running:
        assert await running == 1
    assert "/no/such/program: No such file or directory" in yard.lines[-1][1]


async def test_a_child_that_is_never_ready_ends_the_start(yard: Yard) -> None:
    async def never() -> bool:
        return False

    web = Process("web", python("import time; time.sleep(60)"), ready=never, ready_seconds=0.3)
    async with yard.run(web) as running:
        assert await running == 1
    assert yard.said("web was not ready within 0.3 s")


async def test_a_check_that_knows_why_waiting_is_useless_ends_the_start(yard: Yard) -> None:
    async def refused() -> bool:
        raise InputError("STATE_DIR", "another password.", "Restore it.")

    async with yard.run(Process("web", python("import time; time.sleep(60)"), ready=refused)) as running:
        assert await running == 1
    assert yard.lines[-1] == ("botyard", "STATE_DIR: another password. Restore it.")


async def test_a_child_that_ignores_its_signal_is_killed(yard: Yard) -> None:
    async with yard.run(Process("web", python(STUBBORN), stop_seconds=0.3)):
        await until(lambda: yard.said("stubborn is here"))
        pid = yard.pid("web")
    assert pid
    assert not alive(pid)
    assert yard.said("web did not end in time, killing it")


async def test_a_second_wish_to_stop_hurries(yard: Yard) -> None:
    async with yard.run(Process("web", python(STUBBORN), stop_seconds=60)) as running:
        await until(lambda: yard.said("stubborn is here"))
        began = time.monotonic()
        yard.supervisor.stop()
        await asyncio.sleep(1)  # a person's pause between two wishes
        yard.supervisor.stop()
        assert await running == 0
        assert time.monotonic() - began < 5


async def test_one_wish_that_arrives_twice_does_not_hurry(yard: Yard) -> None:
    polite = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (time.sleep(1), sys.exit(print("good night"))))
print("here", flush=True)
time.sleep(60)
"""
    async with yard.run(Process("web", python(polite))) as running:
        await until(lambda: ("web", "here") in yard.lines)
        yard.supervisor.stop()
        yard.supervisor.stop()
        assert await running == 0
    assert ("web", "good night") in yard.lines


async def test_grandchildren_go_with_their_parent(yard: Yard, family: Path) -> None:
    async with yard.run(Process("worker", python(FAMILY, str(family)))):
        await until(lambda: yard.said("family is here"))
        parent, grandchild = family_of(family)
        os.kill(parent, signal.SIGKILL)
        await until(lambda: len(yard.said("family is here")) == 2)
        assert not alive(grandchild)
        second = family_of(family)
        assert second[0] == yard.pid("worker")
    assert not any(alive(pid) for pid in second)


async def test_lines_go_to_the_log_file_alone_when_asked(yard: Yard, tmp_path: Path) -> None:
    log = tmp_path / "logs" / "web.log"
    web = Process("web", python("print('quiet'); import time; time.sleep(60)"), log_file=log, echo=False)
    async with yard.run(web):
        await until(lambda: log.exists() and log.read_text() == "quiet\n")
    assert not yard.said("quiet")


class Run:
    """A supervisor in a process of its own."""

    def __init__(self, folder: Path, *processes: dict[str, object]) -> None:
        self.output = folder.with_name("output")
        argv = python(MAIN, str(folder), json.dumps(processes))
        with self.output.open("w") as stream:
            self.popen = subprocess.Popen(argv, stdout=stream, stderr=stream, stdin=subprocess.DEVNULL)

    def said(self, text: str) -> bool:
        return text in self.output.read_text()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    runs: list[Run] = []

    def start(*processes: dict[str, object]) -> Run:
        runs.append(Run(tmp_path / "state", *processes))
        return runs[-1]

    yield start
    for run in runs:
        run.popen.terminate()
        run.popen.wait(DEADLINE)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_everything(start: Callable[..., Run], family: Path, number: int) -> None:
    run = start({"name": "worker", "argv": python(FAMILY, str(family))})
    wait_until(lambda: run.said("all ready"))
    run.popen.send_signal(number)
    assert run.popen.wait(DEADLINE) == 0
    assert len(family_of(family)) == 2
    assert not any(alive(pid) for pid in family_of(family))


def test_a_hangup_without_a_terminal_is_nothing(start: Callable[..., Run]) -> None:
    run = start({"name": "web", "argv": python("import time; time.sleep(60)")})
    wait_until(lambda: run.said("all ready"))
    run.popen.send_signal(signal.SIGHUP)
    run.popen.send_signal(signal.SIGTERM)
    assert run.popen.wait(DEADLINE) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of their parent's death")
def test_children_die_with_a_killed_supervisor_and_the_next_run_stops_the_rest(
    start: Callable[..., Run], family: Path
) -> None:
    options = {"name": "worker", "argv": python(FAMILY, str(family))}
    run = start(options)
    wait_until(lambda: run.said("all ready"))
    run.popen.kill()
    run.popen.wait()
    parent, grandchild = family_of(family)
    wait_until(lambda: not alive(parent))
    run = start(options)
    wait_until(lambda: run.said("all ready"))
    assert not alive(grandchild)
    assert family_of(family)[0] != parent


def test_a_second_run_in_the_folder_is_refused(start: Callable[..., Run], tmp_path: Path) -> None:
    run = start({"name": "web", "argv": python("import time; time.sleep(60)")})
    wait_until(lambda: run.said("all ready"))
    argv = python(MAIN, str(tmp_path / "state"), "[]")
    second = subprocess.run(argv, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert second.returncode == 1
    assert f"already running in {tmp_path / 'state'} (pid {run.popen.pid})" in second.stderr
    assert second.stderr.count("\n") == 1
