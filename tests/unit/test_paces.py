from dataclasses import replace

import pytest

from botyard.bots.registry import ServedBot
from botyard.processing.paces import QUICK_UPDATES, Paces
from botyard.vault.sealed import SealedSecret

SEALED = SealedSecret(1, "token:42", b"")
BOT = ServedBot(1, 1, 42, "demo", "Bot", "bot", SEALED, "", "active", 1, queue="slow")


def test_a_bot_that_was_quick_often_enough_moves_to_the_quick_ones() -> None:
    paces = Paces()
    assert [paces.note(BOT, 0.1) for _ in range(QUICK_UPDATES)] == [None] * (QUICK_UPDATES - 1) + ["updates"]


def test_one_slow_update_begins_the_count_anew() -> None:
    paces = Paces()
    seconds = [0.1] * (QUICK_UPDATES - 1) + [0.3] + [0.1] * (QUICK_UPDATES - 1)
    assert {paces.note(BOT, one) for one in seconds} == {None}


def test_bots_are_counted_apart() -> None:
    paces = Paces()
    for _ in range(QUICK_UPDATES - 1):
        paces.note(BOT, 0.1)
    assert paces.note(replace(BOT, id=2), 0.1) is None


@pytest.mark.parametrize(("seconds", "queue"), [(1.9, None), (2.1, "slow")])
def test_one_handler_of_more_than_two_seconds_moves_a_bot_to_the_slow_ones(seconds: float, queue: str | None) -> None:
    assert Paces().note(replace(BOT, queue="updates"), seconds) == queue
