"""Two cores: the Python that is measured on one, the load and the servers on the other; and what each has used."""

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Self

import psutil

SUBJECT: Final = 0
"""The core of what is measured."""
REST: Final = 1
"""The core of everything else."""
_START_SECONDS: Final = 60.0


def pin(pid: int, core: int) -> None:
    """Let a process, its threads and its children run on one core only."""
    leader = psutil.Process(pid)
    for process in (leader, *leader.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            for thread in process.threads():
                with contextlib.suppress(ProcessLookupError):
                    os.sched_setaffinity(thread.id, {core})


@contextlib.contextmanager
def running(
    command: Sequence[str], *, core: int = SUBJECT, port: int = 0, environment: Mapping[str, str] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """A process on a core of its own, ended with the block.

    Args:
        command: what to run.
        core: where.
        port: it is ready once somebody listens there; 0: at once.
        environment: beside this process' own.
    """
    pinned = ["taskset", "-c", str(core), *command]
    process = subprocess.Popen(
        pinned,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.DEVNULL,
        stderr=None if "BENCH_DEBUG" in os.environ else subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        if port:
            _wait_for(port, process)
        yield process
    finally:
        children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(3)
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        process.kill()
        process.wait()


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + _START_SECONDS
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.5):
            return
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"{process.args!r} does not listen on {port}")
        time.sleep(0.05)


def cpu_seconds(pids: Iterable[int]) -> float:
    """What these processes, their living children and those they have waited for have used."""
    used = 0.0
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            leader = psutil.Process(pid)
            for process in (leader, *leader.children(recursive=True)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    used += sum(process.cpu_times()[:2])
    return used


def private_kibibytes(pid: int) -> int:
    """What a process and its children have in memory that they share with nobody."""
    leader = psutil.Process(pid)
    return sum(process.memory_full_info().uss for process in (leader, *leader.children(recursive=True))) // 1024


class Strangers:
    """How many cores everybody but this process and what it has started used during a block."""

    cores = 0.0

    def __enter__(self) -> Self:
        self._began, self._all, self._ours = time.monotonic(), _busy(), cpu_seconds([os.getpid()])
        return self

    def __exit__(self, *_: object) -> None:
        seconds = time.monotonic() - self._began
        ours = cpu_seconds([os.getpid()]) - self._ours
        self.cores = max((_busy() - self._all - ours) / seconds, 0.0)


def _busy() -> float:
    times = psutil.cpu_times()
    return float(sum(times[:8]) - times.idle - times.iowait)
