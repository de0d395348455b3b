"""How a process shares the processor with the others of its machine. See docs/performance.md.

Web process, workers and sender wake each other some thousand times a second. Linux lets whoever wakes up interrupt the
one that is at work, which finds its caches used by others afterwards; and what could have been done together is done
one by one.
"""

import contextlib
import os


def interrupt_nobody() -> None:
    """From now on this process, its threads and its children wait for their turn when they wake up.

    Their share stays the same. Where the system knows no such policy (sched(7), ``SCHED_BATCH``), or forbids to ask for
    it, nothing changes.
    """
    with contextlib.suppress(AttributeError, OSError):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
