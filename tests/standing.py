"""Processes that stand still for a while, as on a machine that has too much to do."""

import contextlib
from collections.abc import Iterator

import psutil


@contextlib.contextmanager
def standing_still(*pids: int) -> Iterator[None]:
    """Processes and all that they started stand still (SIGSTOP) for the length of the block."""
    leaders = [psutil.Process(pid) for pid in pids]
    still = [one for leader in leaders for one in (leader, *leader.children(recursive=True))]
    for process in still:
        process.suspend()
    try:
        yield
    finally:
        for process in still:
            process.resume()
