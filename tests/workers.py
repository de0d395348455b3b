"""A Celery worker as a process of its own."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import psutil

from tests.e2e.yard import wait_until

CELERY: Final = str(Path(sys.executable).parent / "celery")


@contextlib.contextmanager
def celery_worker(
    folder: Path, queues: Sequence[str], pool: str, name: str
) -> Iterator[tuple["subprocess.Popen[bytes]", Path]]:
    """A worker with one slot, once it is ready, and its log; killed with its children at the end of the block.

    Args:
        folder: for its log.
        queues: that it serves.
        pool: ``threads`` or ``prefork``.
        name: its own.
    """
    log, ready = folder / "worker.log", folder / "ready"
    words = ["-Q", ",".join(queues), "-P", pool, "-c", "1", "-n", f"{name}@%h", "--without-mingle", "--without-gossip"]
    changed = {**os.environ, "BOTYARD_READY_FILE": str(ready)}
    with log.open("wb") as stream:
        process = subprocess.Popen([CELERY, "-A", "tasks", "worker", *words], env=changed, stdout=stream, stderr=stream)
        try:
            wait_until(lambda: ready.exists() or process.poll() is not None, 60, "the worker is ready")
            yield process, log
        finally:
            if process.poll() is None:
                for child in psutil.Process(process.pid).children(recursive=True):
                    child.kill()
                process.kill()
            process.wait(30)
