"""One process kept alive: started, read, restarted with growing pauses, stopped with its whole group."""

import asyncio
import contextlib
import ctypes
import functools
import os
import signal
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from botyard.errors import BotyardError
from botyard.supervisor.console import LogFile
from botyard.supervisor.state import MARK, ProcessStatus, kill_group, process_start, reap_group

Output = Callable[[str, str], None]

START_TRIES = 5
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0
STEADY_SECONDS = 30.0
"""A process that lived this long is no crash loop: its next pause is short again."""

_SETTLE_SECONDS = 0.5
_POLL_SECONDS = 0.05
_GROUP_SECONDS = 5.0
_DRAIN_SECONDS = 1.0
_LINE_BYTES = 64 * 1024
_TAIL_LINES = 10
_PR_SET_PDEATHSIG = 1


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
        if self.process.ready is None:
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
            if loop.time() - born >= STEADY_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            self._say(f"ended {ending}, starting it again in {pause:.1f} s")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _live(self) -> str:
        """One life from start to end; how it ended, in words."""
        self._lives += 1
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
        if self.process.echo and not (self.process.quiet_end and self._stopping.is_set()):
            self._output(self.process.name, line)

    def _say(self, text: str) -> None:
        self._output("botyard", f"{self.process.name} {text}")


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


async def spawn(
    argv: Sequence[str], environment: Mapping[str, str], death_signal: int
) -> tuple[asyncio.subprocess.Process, int]:
    """Start a command as the leader of a session of its own.

    Returns:
        The process, and the descriptor from which to read what it writes.

    Raises:
        OSError: it cannot be started.
    """
    # The pipe is ours, not asyncio's: asyncio would wait for its end, which a grandchild can put off forever.
    reading, writing = os.pipe()
    try:
        running = await asyncio.create_subprocess_exec(
            *argv,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=writing,
            stderr=writing,
            start_new_session=True,
            preexec_fn=functools.partial(_die_with, os.getpid(), death_signal) if _libc else None,
        )
    except BaseException:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    return running, reading


async def read_lines(descriptor: int, take: Callable[[str], None]) -> None:
    """Hand over line by line what comes from a pipe until its end; closes it."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", buffering=0)
    )
    rest = b""
    try:
        while chunk := await reader.read(_LINE_BYTES):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > _LINE_BYTES:
                lines, rest = [*lines, rest], b""
            for line in lines:
                take(line.decode(errors="replace").rstrip("\r"))
    finally:
        if rest:
            take(rest.decode(errors="replace"))
        transport.close()


async def clear_group(group: int) -> None:
    """Kill what a dead leader left of its process group, and wait until it is gone."""
    with contextlib.suppress(TimeoutError):  # what the kernel will not let die, we cannot wait for
        async with asyncio.timeout(_GROUP_SECONDS):
            while True:
                if not kill_group(group):
                    break
                await asyncio.sleep(_POLL_SECONDS)
    reap_group(group)


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


# Loaded before any fork: the child must not.
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def _die_with(parent: int, death_signal: int) -> None:
    """In a new child: have it signalled when its parent dies, and do not begin when that has happened."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, death_signal)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
