"""The clock of a worker process: a thread that does, again and again, what has become due.

What is due later (a retry, a permit in 33 ms, a closed chat) is a score with a time; this is what turns the time into
work. Any number of clocks may do so at once, and one is enough: all others only ask whether it still goes. See
docs/mailbox.md.
"""

import contextlib
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence

import structlog
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from botyard.mailbox.duty import Duty
from botyard.mailbox.keeping import Keeper
from botyard.mailbox.tickets import TicketQueue

log = structlog.get_logger(__name__)

Paced = tuple[float, Callable[[], object]]


def sweep_once(keeper: Keeper, tickets: TicketQueue) -> int:
    """One sweep: how many tickets it sent."""
    found = keeper.sweep()
    for ticket in found:
        tickets.send(ticket)
    return len(found)


class Clock:
    """Calls every job of this process at its pace, and survives an absent Redis or PostgreSQL.

    Args:
        jobs: of this process, as pairs of (seconds between calls, what to call).
        tick: seconds between looks.
        passing: exceptions that mean "away for now": noted, and tried again at the next turn.
        shared: jobs that one process does for all, as such pairs.
        duty: whether it is this one.
    """

    def __init__(
        self,
        jobs: Sequence[Paced],
        tick: float,
        passing: tuple[type[Exception], ...] = (),
        *,
        shared: Sequence[Paced] = (),
        duty: Duty | None = None,
    ) -> None:
        self._jobs = jobs
        self._shared = shared
        self._duty = duty
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
        waited: defaultdict[Callable[[], object], float] = defaultdict(float)
        while not self._stop.wait(self._tick):
            on_duty = self._duty is not None and self._duty.ours()
            for every, job in (*self._jobs, *(self._shared if on_duty else ())):
                waited[job] += self._tick
                if waited[job] + 1e-9 >= every:
                    waited[job] = 0.0
                    self._call(job)

    def _call(self, job: Callable[[], object]) -> None:
        name = getattr(job, "__qualname__", repr(job))
        try:
            job()
        except self._passing as error:
            if job not in self._failing:
                self._failing.add(job)
                log.warning("clock_job_failed", job=name, error=type(error).__name__)
            self._let_others_try(job)
        except Exception:
            # The edge of a thread: if it ended here, nothing of this process would ever become due again.
            log.exception("clock_job_failed", job=name)
            self._let_others_try(job)
        else:
            if job in self._failing:
                self._failing.discard(job)
                log.info("clock_job_works_again", job=name)

    def _let_others_try(self, job: Callable[[], object]) -> None:
        if self._duty is not None and any(job is one for _, one in self._shared):
            with contextlib.suppress(RedisError):
                self._duty.leave()
