"""Commands as leaders of sessions of their own: started, read line by line, cleared away with their groups."""

import asyncio
import contextlib
import ctypes
import functools
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence

from botyard.supervisor.state import kill_group, reap_group

_POLL_SECONDS = 0.05
_GROUP_SECONDS = 5.0
_LINE_BYTES = 64 * 1024
_PR_SET_PDEATHSIG = 1


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


# Loaded before any fork: the child must not.
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def _die_with(parent: int, death_signal: int) -> None:
    """In a new child: have it signalled when its parent dies, and do not begin when that has happened."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, death_signal)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
