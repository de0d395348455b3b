"""The feed of changes: order, what is forgotten, how waits end."""

import asyncio
import time

import pytest

from botyard.simulator import feed as module
from botyard.simulator.feed import Feed


def test_each_chat_is_told_once_the_newest_first() -> None:
    feed = Feed()
    for key in ((1, 5), (1, 6), (1, 5)):
        feed.changed(key)
    assert feed.since(0) == [{"bot_id": 1, "chat_id": 5}, {"bot_id": 1, "chat_id": 6}]
    assert feed.since(2) == [{"bot_id": 1, "chat_id": 5}]
    assert feed.since(3) == []


def test_who_is_too_far_behind_or_from_another_life_must_read_everything_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "KEPT", 2)
    feed = Feed()
    for chat_id in (5, 6, 7, 8):
        feed.changed((1, chat_id))
    assert feed.since(1) is None
    assert feed.since(2) == [{"bot_id": 1, "chat_id": 8}, {"bot_id": 1, "chat_id": 7}]
    assert feed.since(99) is None


async def test_a_wait_ends_with_a_change_with_its_time_and_with_the_simulator() -> None:
    feed = Feed()
    waiting = asyncio.create_task(feed.wait(20))
    await asyncio.sleep(0)
    feed.changed((1, 5))
    await asyncio.wait_for(waiting, 1)
    began = time.monotonic()
    await feed.wait(0.05)
    assert 0.04 < time.monotonic() - began < 2
    waiting = asyncio.create_task(feed.wait(20))
    await asyncio.sleep(0)
    feed.close()
    await asyncio.wait_for(waiting, 1)
    assert feed.closed


async def test_a_change_in_the_moment_a_wait_ends_breaks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = Feed()

    class Late:
        """A wait that ends, while a change lets all waiters go."""

        def __init__(self, _: float) -> None: ...

        async def __aenter__(self) -> None: ...

        async def __aexit__(self, *_: object) -> None:
            feed.changed((1, 5))
            raise TimeoutError

    monkeypatch.setattr(asyncio, "timeout", Late)
    waiting = asyncio.create_task(feed.wait(1))
    await asyncio.sleep(0)
    feed.wake()
    await waiting
    assert feed.place == 1
