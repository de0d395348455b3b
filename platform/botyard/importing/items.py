"""What is imported, one thing at a time, whatever it was read from."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

LARGEST_ID: Final = 2**52 - 1
"""Telegram's numbers have at most 52 significant bits (https://core.telegram.org/bots/api#user)."""


@dataclass(frozen=True, slots=True)
class Person:
    """A user of the bot; what is not known of them is left away.

    Args:
        user_id: Telegram's number of them.
        profile: what Telegram says: columns of ``bot_users``.
        notes: what the owner notes: ``language``, ``tags``, ``attributes``.
        first_seen: when they wrote first.
        last_seen: when they wrote last.
    """

    user_id: int
    profile: dict[str, Any] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    first_seen: datetime | None = None
    last_seen: datetime | None = None


@dataclass(frozen=True, slots=True)
class Remembered:
    """A row of ``conversations``: what the bot remembers of a chat, of a person, or for itself.

    Args:
        scope: ``chat``, ``user`` or ``bot``.
        key: of the row.
        state: what is to stand in it, as JSON of `botyard.state.codec`.
        updated_at: when it was written, if the source says so.
    """

    scope: str
    key: str
    state: bytes
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Unreachable:
    """A chat that the bot cannot reach.

    Args:
        chat_key: which one.
        since: since when, if that is known.
    """

    chat_key: str
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Carried:
    """What the buttons of one keyboard carry.

    Args:
        number: as python-telegram-bot made it up.
        buttons: JSON of `botyard.state.codec`.
        created_at: when it was made.
    """

    number: str
    buttons: bytes
    created_at: datetime


Item = Person | Remembered | Unreachable | Carried


class Source(Protocol):
    """Where things are read from."""

    def items(self) -> Iterator[Item]:
        """Each thing; what cannot be brought along is said to the report meanwhile."""

    def share(self) -> float | None:
        """How much of it was read, from 0 to 1; nothing if that cannot be told."""
