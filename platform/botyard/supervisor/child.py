"""One process kept alive: started, read, restarted with growing pauses, stopped with its whole group."""

import asyncio
import contextlib
import os
import signal
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from botyard.errors import BotyardError
from botyard.supervisor.console import LogFile
from botyard.supervisor.spawning import clear_group, read_lines, spawn
from botyard.supervisor.state import MARK, ProcessStatus, kill_group, process_start

Output = Callable[[str, str], None]

START_TRIES = 5
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0
STEADY_SECONDS = 30.0
"""A process that lived this long is no crash loop: its next pause is short again."""

_SETTLE_SECONDS = 0.5
_POLL_SECONDS = 0.05
_DRAIN_SECONDS = 1.0
_TAIL_LINES = 10


@dataclass(frozen=True)
class Process:
    """A process to keep alive.

    Args:
        name: short and unique.
        argv: its command line.
        env: what to set in its environment beside what is there.
        stop_signal: what asks it to end.
        stop_seconds: how long it may take to end before it is killed with its whole group.
        death_signal: what the system sends it when the supervisor itself is killed (Linux).
        ready: whether it does its work now; without it, a process that has lived half a second is ready.
            A `BotyardError` from it ends the start.
        ready_seconds: how long it may take to become ready.
        ready_file: a file that it makes when it is ready, removed before each life; then no `ready` is needed.
        stage: processes of a stage start when all of the earlier stages are ready.
        log_file: where its lines are kept.
        echo: whether its lines go to the supervisor's output too.
        quiet_end: once it was asked to stop, how it takes its leave is for its log file only.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    stop_signal: int = signal.SIGTERM
    stop_seconds: float = 20
    death_signal: int = signal.SIGKILL
    ready: Callable[[], Awaitable[bool]] | None = None
    ready_seconds: float = 30
    ready_file: Path | None = None
    stage: int = 0
    log_file: Path | None = None
    echo: bool = True
    quiet_end: bool = False


@dataclass(frozen=True)
class Step:
    """A command that must end well before the processes of its stage start, such as migrations.

    Args:
        name: short and unique.
        argv: its command line.
        env: what to set in its environment beside what is there.
        stage: it runs when the earlier stages are ready; steps of one stage run in their order.
        seconds: how long it may take.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    stage: int = 0
    seconds: float = 300


class StartError(BotyardError):
    """A process did not start.

    Args:
        name: whose start failed.
        problem: what happened, in words.
        lines: its last lines of output.
    """

    def __init__(self, name: str, problem: str, lines: tuple[str, ...] = ()) -> None:
        super().__init__(name, problem, lines)
        self.name = name
        self.problem = problem
        self.lines = lines

    def __str__(self) -> str:
        return f"{self.name} {self.problem}"


class Child:
    """Keeps one process alive until it is stopped.

    Args:
        process: what to run.
        mark: the state folder, written into the environment.
        output: takes a name and a line, at once.
        changed: called when a life begins or ends.
    """

    def __init__(self, process: Process, *, mark: str, output: Output, changed: Callable[[], None]) -> None:
        self.process = process
        self._environment = _environment(process.env, mark)
        self._output = output
        self._changed = changed
        self._log = LogFile(process.log_file) if process.log_file else None
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._running: asyncio.subprocess.Process | None = None
        self._started: float | None = None
        self._lives = 0
        self._ready = False
        self._stopping = asyncio.Event()
        self._renewal = asyncio.Event()
        self._failure: StartError | None = None
        self._keeper: asyncio.Task[None] | None = None

    def status(self) -> ProcessStatus:
        """The process as it is now."""
        return ProcessStatus(
            name=self.process.name,
            pid=self._running.pid if self._running else None,
            started=self._started,
            restarts=max(self._lives - 1, 0),
            stop_signal=self.process.stop_signal,
        )

    async def start(self) -> None:
        """Start the process and wait until it is ready.

        Raises:
            StartError: it kept dying, or was not ready in time.
            BotyardError: its check for readiness says that waiting cannot help.
        """
        self._keeper = asyncio.create_task(self._keep())
        try:
            async with asyncio.timeout(self.process.ready_seconds):
                await self._until_ready()
        except TimeoutError:
            raise StartError(
                self.process.name,
                f"was not ready within {self.process.ready_seconds:g} s (started {self._lives} times).",
                tuple(self._tail),
            ) from None
        self._ready = True

    async def restart(self) -> None:
        """End this life in its own time, begin the next one at once, and wait until that is ready.

        Raises:
            StartError: the next one was not ready in time; it is kept trying.
            BotyardError: as `start`.
        """
        if self._keeper is None or self._stopping.is_set():
            return
        lives = self._lives
        self._renewal.set()
        if self._running and self._running.returncode is None:
            group = self._running.pid
            _signal(group, self.process.stop_signal)
            try:
                async with asyncio.timeout(self.process.stop_seconds):
                    await _until(lambda: self._lives != lives)
            except TimeoutError:
                kill_group(group)
        try:
            async with asyncio.timeout(self.process.ready_seconds):
                await _until(lambda: self._lives != lives)
                await self._until_ready()
        except TimeoutError:
            problem = f"was not ready again within {self.process.ready_seconds:g} s."
            raise StartError(self.process.name, problem, tuple(self._tail)) from None

    async def stop(self, hurry: asyncio.Event) -> None:
        """End the process: its signal, its time to stop unless in a hurry, then SIGKILL to the group."""
        self._stopping.set()
        if self._keeper is None:
            return
        if self._running and self._running.returncode is None:
            _signal(self._running.pid, self.process.stop_signal)
        hurried = asyncio.create_task(hurry.wait())
        await asyncio.wait(
            {self._keeper, hurried},
            timeout=self.process.stop_seconds,
            return_when=asyncio.FIRST_COMPLETED,
        )
        hurried.cancel()
        if self._running and not self._keeper.done():
            self._say("did not end in time, killing it")
            kill_group(self._running.pid)
        await self._keeper
        if self._log:
            self._log.close()

    async def _until_ready(self) -> None:
        while True:
            if self._failure:
                raise self._failure
            if await self._is_ready():
                return
            await asyncio.sleep(_POLL_SECONDS)

    async def _is_ready(self) -> bool:
        life = self._running
        if life is None:
            return False
        if self.process.ready_file is not None:
            answer = self.process.ready_file.exists()
        elif self.process.ready is None:
            await asyncio.sleep(_SETTLE_SECONDS)
            answer = True
        else:
            answer = await self.process.ready()
        # Only of the life that was asked: another program may have answered in its place.
        return answer and life is self._running and life.returncode is None

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        pause = FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            born = loop.time()
            ending = await self._live()
            if self._stopping.is_set():
                return
            if not self._ready and self._lives >= START_TRIES:
                problem = f"ended {self._lives} times at the start, the last time {ending}."
                self._failure = StartError(self.process.name, problem, tuple(self._tail))
                return
            if loop.time() - born >= STEADY_SECONDS or self._renewal.is_set():
                pause = FIRST_PAUSE_SECONDS
            if not self._renewal.is_set():
                self._say(f"ended {ending}, starting it again in {pause:.1f} s")
                await self._rest(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _rest(self, seconds: float) -> None:
        """Wait before the next life, unless somebody wants the end or the next life now."""
        waits = [asyncio.create_task(self._stopping.wait()), asyncio.create_task(self._renewal.wait())]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _live(self) -> str:
        """One life from start to end; how it ended, in words."""
        self._lives += 1
        self._renewal.clear()
        if self.process.ready_file is not None:
            self.process.ready_file.unlink(missing_ok=True)
        try:
            self._running, reading = await spawn(self.process.argv, self._environment, self.process.death_signal)
        except OSError as error:
            return f"before it began ({self.process.argv[0]}: {error.strerror})"
        group = self._running.pid
        with contextlib.suppress(psutil.Error):
            self._started = process_start(group)
        self._changed()
        pump = asyncio.create_task(read_lines(reading, self._note))
        if self._stopping.is_set():  # asked to stop while it was being started
            _signal(group, self.process.stop_signal)
        code = await self._running.wait()
        await clear_group(group)
        await asyncio.wait({pump}, timeout=_DRAIN_SECONDS)
        pump.cancel()
        self._running, self._started = None, None
        self._changed()
        return _describe(code)

    def _note(self, line: str) -> None:
        self._tail.append(line)
        if self._log:
            self._log.write(line)
        leaving = self._stopping.is_set() or self._renewal.is_set()
        if self.process.echo and not (self.process.quiet_end and leaving):
            self._output(self.process.name, line)

    def _say(self, text: str) -> None:
        self._output("botyard", f"{self.process.name} {text}")


async def _until(condition: Callable[[], bool]) -> None:
    while True:
        if condition():
            return
        await asyncio.sleep(_POLL_SECONDS)


async def run_step(step: Step, mark: str) -> None:
    """Run a step to its end.

    Raises:
        StartError: it failed, or took too long; with its output.
    """
    lines: deque[str] = deque(maxlen=10 * _TAIL_LINES)
    try:
        running, reading = await spawn(step.argv, _environment(step.env, mark), signal.SIGKILL)
    except OSError as error:
        raise StartError(step.name, f"cannot be started ({step.argv[0]}: {error.strerror}).") from None
    pump = asyncio.create_task(read_lines(reading, lines.append))
    try:
        code = await asyncio.wait_for(running.wait(), step.seconds)
    except TimeoutError:
        raise StartError(step.name, f"was not done within {step.seconds:g} s.", tuple(lines)) from None
    finally:
        kill_group(running.pid)
        await running.wait()
        await clear_group(running.pid)
        await asyncio.wait({pump}, timeout=_DRAIN_SECONDS)
        pump.cancel()
    if code:
        raise StartError(step.name, f"failed {_describe(code)}.", tuple(lines))


def _environment(extra: Mapping[str, str], mark: str) -> dict[str, str]:
    # Python writes its lines at once only to a terminal, and a pipe is none.
    return {**os.environ, "PYTHONUNBUFFERED": "1", **extra, MARK: mark}


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _describe(code: int) -> str:
    if code >= 0:
        return f"with exit code {code}"
    return f"by signal {-code} ({signal.strsignal(-code)})"
