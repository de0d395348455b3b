"""Telegram's objects as python-telegram-bot makes them, in a third of the time. See docs/performance.md."""

from typing import Final

from telegram import TelegramObject

_GUARDS: Final = ("__setattr__", "__delattr__")


def leave_unguarded() -> None:
    """From now on, no object of this process is asked whether its attributes may be set.

    The library forbids it once an object is made, for which each attribute passes through a method, that of a new
    object as well: some 220 times for a message. Reading an update takes three times as long by that. Without it what a
    handler sets stays with its object, which ends with its update.
    """
    for name in _GUARDS:
        if name in vars(TelegramObject):
            delattr(TelegramObject, name)
