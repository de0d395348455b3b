"""Processes that stand still for a while, as on a machine that has too much to do."""

import contextlib
from collections.abc import Iterator

import psutil


@contextlib.contextmanager
def standing_still(*pids: int) -> Iterator[None]:
    """Processes and all that they started stand still (SIGSTOP) for the length of the block."""
    leaders = [psutil.Process(pid) for pid in pids]
    for leader in leaders:
        leader.suspend()  # before its children are looked for: it starts none any more
    children = [child for leader in leaders for child in leader.children(recursive=True)]
    for child in children:
        with contextlib.suppress(psutil.NoSuchProcess):  # a server's children come and go
            child.suspend()
    try:
        yield
    finally:
        for process in (*leaders, *children):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()
