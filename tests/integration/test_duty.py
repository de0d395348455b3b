"""One process sweeps for all, and another one does when it is gone."""

import time

import pytest
import redis

from botyard.mailbox.clock import Clock
from botyard.mailbox.duty import Duty
from tests.e2e.yard import wait_until

_TICK = 0.01


def test_one_of_several_is_on_duty_and_stays_it(raw_valkey: "redis.Redis") -> None:
    first, *others = (Duty(raw_valkey, name) for name in "abc")
    assert first.ours()
    until = time.monotonic() + 1.5  # longer than it lasts unless it is renewed
    while time.monotonic() < until:
        assert not any(one.ours() for one in others)
        assert first.ours()
        time.sleep(_TICK)


def test_who_dies_on_duty_is_followed(raw_valkey: "redis.Redis") -> None:
    first, second = Duty(raw_valkey, "a"), Duty(raw_valkey, "b")
    assert first.ours()
    assert not second.ours()
    wait_until(second.ours, 2, "the second one is on duty")
    wait_until(lambda: not first.ours(), 1, "the first one, which only stood still, learns so")


def test_who_leaves_lets_others_try_first(raw_valkey: "redis.Redis") -> None:
    first, second = Duty(raw_valkey, "a"), Duty(raw_valkey, "b")
    assert first.ours()
    first.leave()
    assert not first.ours()
    assert second.ours()


def test_without_redis_nobody_is_on_duty(unused_tcp_port: int) -> None:
    with redis.Redis(port=unused_tcp_port, socket_connect_timeout=1) as nobody:
        assert not Duty(nobody, "a").ours()


@pytest.mark.parametrize("trouble", [redis.ConnectionError("no way from here"), ValueError("a mistake of ours")])
def test_what_fails_at_one_is_done_by_another(raw_valkey: "redis.Redis", trouble: Exception) -> None:
    done: list[str] = []

    def parted() -> None:
        raise trouble

    first = Duty(raw_valkey, "a")
    assert first.ours()
    clocks = [
        Clock([], _TICK, shared=[(_TICK, job)], duty=duty)
        for duty, job in ((first, parted), (Duty(raw_valkey, "b"), lambda: done.append("b")))
    ]
    try:
        wait_until(lambda: len(done) > 3, 10, "the other one does it")
    finally:
        for clock in clocks:
            clock.stop()


@pytest.mark.parametrize("on_duty", [True, False])
def test_what_is_a_process_own_is_done_whoever_is_on_duty(raw_valkey: "redis.Redis", *, on_duty: bool) -> None:
    own: list[int] = []
    shared: list[int] = []
    if not on_duty:
        raw_valkey.set("by:duty", "another")
    clock = Clock(
        [(_TICK, lambda: own.append(1))], _TICK, shared=[(_TICK, lambda: shared.append(1))], duty=Duty(raw_valkey, "a")
    )
    try:
        wait_until(lambda: len(own) > 3, 10, "its own job is done")
    finally:
        clock.stop()
    assert bool(shared) == on_duty
