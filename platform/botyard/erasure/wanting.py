"""Somebody wants a person to be forgotten."""

from typing import Final

from botyard.errors import InputError
from botyard.operations import Wanted
from botyard.operations.beginning import PRIVATE

ERASE_PERSON: Final = "person.erase"


def erasing(customer_id: int, bot_id: int | None, user_id: int) -> Wanted:
    """What is to be done to forget somebody.

    Args:
        customer_id: whose bots are to forget them.
        bot_id: the only one that is to; none: all of them.
        user_id: Telegram's number of the person.

    Raises:
        InputError: it is no person's number.
    """
    if not 0 < user_id < 2**52:
        raise InputError("userId", "is no number of a person.", "A group cannot be erased so.")
    return Wanted(ERASE_PERSON, customer_id, bot_id, {PRIVATE: {"userId": user_id}})
