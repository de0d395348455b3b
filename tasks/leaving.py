"""How a prefork worker ends: its children finish what they have in hand and take nothing new, then it goes at once.

Celery's soft shutdown sleeps its whole time if anything is under way, and hands out nothing meanwhile: what the worker
has received and not begun would wait that long for another worker.
"""

import contextlib
import fcntl
import mmap
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from typing import Any, Final

from celery.apps.worker import Worker
from celery.concurrency.asynpool import AsynPool
from celery.concurrency.prefork import TaskPool as PreforkPool
from celery.platforms import EX_FAILURE

from tasks.results import Results

_LOOK_SECONDS: Final = 0.05
_LONGEST_END_SECONDS: Final = 20.0


class Leaving:
    """What a worker and its children, which are forked later, know of each other's end."""

    def __init__(self) -> None:
        self._told = mmap.mmap(-1, 1)
        # The kernel gives back the locks of whoever dies; a count would stay.
        self._hands = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process

    def begun(self) -> bool:
        """Whether the worker is about to end: what can be left to others is."""
        return self._told[0] != 0

    def begin(self) -> None:
        """Let the children know."""
        self._told[0] = 1

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """A child has a task in hand until the end of the block."""
        fcntl.lockf(self._hands, fcntl.LOCK_SH)
        try:
            yield
        finally:
            fcntl.lockf(self._hands, fcntl.LOCK_UN)

    def nobody_at_work(self) -> bool:
        """Whether no child has a task in hand. Not for children: nobody's own lock is in his way."""
        try:
            fcntl.lockf(self._hands, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        fcntl.lockf(self._hands, fcntl.LOCK_UN)
        return True


LEAVING: Final = Leaving()


def end_for_sure(seconds: float) -> None:
    """End this process as failed, unless it has ended by then."""
    end = threading.Timer(seconds, os._exit, [EX_FAILURE])
    end.daemon = True
    end.start()


class YardWorker(Worker):
    """A worker that waits for its children no longer than they take, and ends when it says that it does."""

    def setup_instance(self, *args: Any, **options: Any) -> None:
        """As Celery's, with pools that hear their children whatever becomes of the broker."""
        AsynPool.ResultHandler = Results
        super().setup_instance(*args, **options)

    def stop(self, in_sighandler: bool = False, exitcode: int | None = None) -> None:
        """End; after an error that it cannot recover from, within seconds.

        What is broken may be what it waits for, and nobody starts a process anew that is still there.
        """
        if exitcode == EX_FAILURE:
            end_for_sure(_LONGEST_END_SECONDS)
        super().stop(in_sighandler, exitcode)

    def wait_for_soft_shutdown(self) -> Any:
        """Wait until no child has a task in hand, at most ``worker_soft_shutdown_timeout``."""
        LEAVING.begin()
        if not isinstance(self.pool, PreforkPool):
            super().wait_for_soft_shutdown()
            return
        until = time.monotonic() + self.app.conf.worker_soft_shutdown_timeout
        while time.monotonic() < until and not LEAVING.nobody_at_work():
            time.sleep(_LOOK_SECONDS)
