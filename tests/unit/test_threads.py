"""The two threads on which a worker process depends: the clock and the renewer of leases."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from redis.exceptions import ConnectionError as RedisGone

from botyard.mailbox.clock import Clock
from botyard.mailbox.leases import Renewer

TICK = 0.005


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 3
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.002)


class Job:
    """Counts its calls and fails in the first of them."""

    def __init__(self, *failures: Exception) -> None:
        self.calls = 0
        self._failures = list(failures)

    def __call__(self) -> bool:
        self.calls += 1
        if self._failures:
            raise self._failures.pop(0)
        return True


@pytest.mark.parametrize("failure", [RedisGone("away"), OSError("away"), ValueError("a mistake of ours")])
def test_the_clock_survives_a_job_that_fails_and_the_other_jobs_do_not_notice(failure: Exception) -> None:
    failing, other = Job(failure, failure), Job()
    clock = Clock([(TICK, failing), (TICK, other)], TICK)
    try:
        eventually(lambda: failing.calls > 3 and other.calls > 3)
    finally:
        clock.stop()


def test_each_job_of_the_clock_has_its_pace() -> None:
    often, seldom = Job(), Job()
    clock = Clock([(TICK, often), (10 * TICK, seldom)], TICK)
    try:
        eventually(lambda: seldom.calls == 2)
    finally:
        clock.stop()
    assert often.calls >= 15
    calls = often.calls
    time.sleep(5 * TICK)
    assert often.calls == calls, "a stopped clock stands"


@pytest.fixture
def renewer() -> Iterator[Renewer]:
    made = Renewer(TICK)
    yield made
    made.stop()


@pytest.mark.parametrize("failure", [RedisGone("away"), ValueError("a mistake of ours")])
def test_a_renewal_that_fails_is_tried_again_and_the_other_leases_are_kept(
    renewer: Renewer, failure: Exception
) -> None:
    failing, other, lost = Job(failure, failure), Job(), threading.Event()
    renewer.keep(failing, 60, lost.set)
    renewer.keep(other, 60, lost.set)
    eventually(lambda: failing.calls > 3 and other.calls > 3)
    assert not lost.is_set()


def test_a_lost_lease_is_told_once_and_renewed_no_longer(renewer: Renewer) -> None:
    told: list[int] = []
    renewals = Job()
    renewer.keep(lambda: not renewals(), 60, lambda: told.append(1))
    eventually(lambda: bool(told))
    time.sleep(5 * TICK)
    assert (told, renewals.calls) == ([1], 1)


def test_a_lease_whose_budget_is_spent_is_given_up_though_it_could_be_renewed(renewer: Renewer) -> None:
    told: list[int] = []
    lease = renewer.keep(Job(), 60, lambda: told.append(1))
    eventually(lambda: lease.renewed_at > 0)
    assert told == []
    lease.until = time.monotonic()
    eventually(lambda: told == [1])


def test_one_who_cannot_be_told_costs_nobody_elses_lease(renewer: Renewer) -> None:
    def deaf() -> None:
        raise RuntimeError("its event loop is closed")

    other = Job()
    renewer.keep(lambda: False, 60, deaf)
    renewer.keep(other, 60, lambda: None)
    eventually(lambda: other.calls > 3)


def test_a_dropped_lease_is_renewed_no_longer(renewer: Renewer) -> None:
    job = Job()
    lease = renewer.keep(job, 60, lambda: None)
    eventually(lambda: job.calls > 0)
    renewer.drop(lease)
    renewer.drop(lease)
    time.sleep(2 * TICK)
    calls = job.calls
    time.sleep(5 * TICK)
    assert job.calls == calls
