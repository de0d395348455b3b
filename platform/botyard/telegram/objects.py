"""Telegram's objects as python-telegram-bot makes them, in a third of the time. See docs/performance.md."""

from collections.abc import Callable
from typing import Any, Final

from telegram import Bot, Message, MessageEntity, TelegramObject, User

_GUARDS: Final = ("__setattr__", "__delattr__")
PLAIN: Final = frozenset(
    {"message_id", "from", "chat", "date", "text", "entities", "message_thread_id", "is_topic_message"}
)
"""What messages of nothing but text have. Who wrote one, and what stands out in it, are objects."""

read_whole: Final[Callable[..., Message]] = Message.de_json.__func__  # type: ignore[attr-defined]
"""How the library itself reads a message."""


def read_quickly() -> None:
    """From now on this process reads Telegram's objects without what only costs time. See the two functions below."""
    _leave_unguarded()
    Message.de_json = classmethod(_read)  # type: ignore[assignment, method-assign]


def _leave_unguarded() -> None:
    """No object is asked whether its attributes may be set.

    The library forbids it once an object is made, for which each attribute passes through a method, that of a new
    object as well: some 220 times for a message. Reading an update takes three times as long by that. Without it what a
    handler sets stays with its object, which ends with its update.
    """
    for name in _GUARDS:
        if name in vars(TelegramObject):
            delattr(TelegramObject, name)


def _read(cls: type[Message], data: dict[str, Any], bot: Bot | None = None) -> Message:
    """Look for none of the eighty objects that a message of text alone does not have."""
    if cls is not Message or not data.keys() <= PLAIN:
        return read_whole(cls, data, bot)
    plain = dict(data)
    sender, entities = plain.pop("from", None), plain.get("entities")
    if sender:
        plain["from_user"] = User.de_json(sender, bot)
    if entities:
        plain["entities"] = MessageEntity.de_list(entities, bot)
    # What is left of it is made by the class above, as at the end of the library's own.
    made: Message = super(Message, cls)._de_json(data=plain, bot=bot)  # type: ignore[assignment]
    return made
