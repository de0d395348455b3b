"""The clock of a worker process: a thread that issues tickets for what has become due, ten times a second.

Any number of clocks may run at once. What is due later (a retry, a permit in 33 ms, a closed chat) is a score with a
time; this is what turns the time into work. See docs/mailbox.md.
"""

import threading
from collections.abc import Callable

import structlog
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from botyard.mailbox.keeping import Keeper
from botyard.mailbox.tickets import TicketQueue

log = structlog.get_logger(__name__)


def sweep_once(keeper: Keeper, tickets: TicketQueue) -> int:
    """One sweep: how many tickets it sent."""
    found = keeper.sweep()
    for ticket in found:
        tickets.send(ticket)
    return len(found)


class Clock:
    """Calls every job of this process at its pace, and survives an absent Redis or PostgreSQL.

    Args:
        jobs: pairs of (seconds between calls, what to call).
        tick: seconds between looks.
        passing: exceptions that mean "away for now": noted, and tried again at the next turn.
    """

    def __init__(
        self,
        jobs: list[tuple[float, Callable[[], object]]],
        tick: float,
        passing: tuple[type[Exception], ...] = (),
    ) -> None:
        self._jobs = jobs
        self._tick = tick
        self._passing: tuple[type[Exception], ...] = (RedisError, OperationalError, OSError, *passing)
        self._failing: set[Callable[[], object]] = set()
        """Said once, until it works again: some of them come ten times a second."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="clock", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        waited = [0.0] * len(self._jobs)
        while not self._stop.wait(self._tick):
            for index, (every, job) in enumerate(self._jobs):
                waited[index] += self._tick
                if waited[index] + 1e-9 >= every:
                    waited[index] = 0.0
                    self._call(job)

    def _call(self, job: Callable[[], object]) -> None:
        name = getattr(job, "__qualname__", repr(job))
        try:
            job()
        except self._passing as error:
            if job not in self._failing:
                self._failing.add(job)
                log.warning("clock_job_failed", job=name, error=type(error).__name__)
        except Exception:
            # The edge of a thread: if it ended here, nothing of this process would ever become due again.
            log.exception("clock_job_failed", job=name)
        else:
            if job in self._failing:
                self._failing.discard(job)
                log.info("clock_job_works_again", job=name)
