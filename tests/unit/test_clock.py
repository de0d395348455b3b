"""What a worker's clock says of jobs that fail."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from structlog.testing import capture_logs

from botyard.mailbox.clock import Clock
from tests.e2e.yard import wait_until

_TICK = 0.002
_SECONDS = 10


@contextmanager
def _ticking(job: Callable[[], object]) -> Iterator[None]:
    clock = Clock([(_TICK, job)], _TICK)
    try:
        yield
    finally:
        clock.stop()


@pytest.mark.parametrize("error", [RedisConnectionError("away"), OSError("away")])
def test_a_server_that_is_away_is_said_once_and_so_is_its_return(error: Exception) -> None:
    calls, away = [0], [True]

    def job() -> None:
        calls[0] += 1
        if away[0]:
            raise error

    with capture_logs() as said, _ticking(job):
        wait_until(lambda: calls[0] > 5, _SECONDS, "it is tried again and again")
        away[0] = False
        wait_until(lambda: len(said) > 1, _SECONDS, "it works again")
        away[0] = True
        wait_until(lambda: len(said) > 2, _SECONDS, "it fails anew")
    assert [one["event"] for one in said] == ["clock_job_failed", "clock_job_works_again", "clock_job_failed"]
    assert said[0]["error"] == type(error).__name__


def test_a_job_with_a_fault_of_its_own_is_said_each_time_and_stops_no_other() -> None:
    calls = [0]

    def job() -> None:
        calls[0] += 1
        raise ValueError(calls[0])

    with capture_logs() as said, _ticking(job):
        wait_until(lambda: calls[0] > 2, _SECONDS, "it is called again")
    assert len(said) == calls[0]
