"""What only one may have at a time."""

import asyncio

import pytest

from botyard.processing.turns import Turns


async def test_what_is_free_is_had_at_once_and_again_when_it_was_given_back() -> None:
    turns = Turns()
    for _ in range(3):
        assert await turns.take("person", 0)
        turns.give("person")


async def test_others_have_it_in_the_order_in_which_they_asked() -> None:
    turns, had = Turns(), []

    async def have(name: int) -> None:
        assert await turns.take("person", 5)
        had.append(name)
        await asyncio.sleep(0)
        turns.give("person")

    await asyncio.gather(*(have(name) for name in range(5)))
    assert had == [0, 1, 2, 3, 4]


async def test_nobody_comes_between_who_gives_it_and_who_waits() -> None:
    turns = Turns()
    assert await turns.take("person", 0)
    waiting = asyncio.ensure_future(turns.take("person", 5))
    await asyncio.sleep(0)
    turns.give("person")
    assert not await turns.take("person", 0)
    assert await waiting


async def test_who_waited_too_long_hears_so_and_is_passed_over() -> None:
    turns = Turns()
    assert await turns.take("person", 0)
    assert not await turns.take("person", 0.01)
    turns.give("person")
    assert await turns.take("person", 0)


@pytest.mark.parametrize("was_its_turn", [True, False])
async def test_who_is_cancelled_while_it_waits_keeps_nothing(was_its_turn: bool) -> None:
    turns = Turns()
    assert await turns.take("person", 0)
    waiting = asyncio.ensure_future(turns.take("person", 5))
    await asyncio.sleep(0)
    if was_its_turn:
        turns.give("person")
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    if not was_its_turn:
        turns.give("person")
    assert await turns.take("person", 0)


async def test_one_thing_does_not_wait_for_another() -> None:
    turns = Turns()
    assert await turns.take("person", 0)
    assert await turns.take("bot", 0)
