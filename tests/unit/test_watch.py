import asyncio
import time
from collections.abc import Iterator

import pytest

from botyard.processing.watch import LoopWatch

Told = list[tuple[int, str, float]]


@pytest.fixture
def told() -> Told:
    return []


@pytest.fixture
def watch(told: Told) -> Iterator[LoopWatch]:
    made = LoopWatch(lambda *what: told.append(what), patience=0.4)
    yield made
    made.stop()


def _block(seconds: float) -> None:
    time.sleep(seconds)


async def test_a_blocked_loop_is_told_once_with_its_bot_and_its_place(watch: LoopWatch, told: Told) -> None:
    for _ in range(2):
        with watch.watching(7):
            _block(1.2)
            await asyncio.sleep(0)
    ((bot, place, seconds),) = told
    assert bot == 7
    assert place.startswith("tests/unit/test_watch.py:")
    assert place.endswith(" in _block")
    assert seconds > 0.4


async def test_a_loop_that_waits_is_not_blocked(watch: LoopWatch, told: Told) -> None:
    with watch.watching(7):
        await asyncio.sleep(1.2)
    assert told == []


async def test_what_is_not_watched_may_block(watch: LoopWatch, told: Told) -> None:
    with watch.watching(7):
        await asyncio.sleep(0.3)
    _block(1.2)
    assert told == []
