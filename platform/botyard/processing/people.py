"""Who wrote: a person's profile, noted with the update that shows it, if there is news of it. See docs/users.md."""

import time
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Lock
from typing import Any, Final

import orjson
from telegram import Update, User

from botyard.processing.store import Resolution
from db.engine import storable

_SECONDS: Final = 600.0
_MOST: Final = 50_000
_LARGEST_ID: Final = 2**53
# Telegram's own: in its name what a channel says comes into the channel's group.
_NOBODY: Final = frozenset({777000})
_LONGEST_NAME: Final = 256


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of whom there is news.

    Args:
        key: the bot's row, and their number at Telegram.
        digest: of their profile.
        row: the profile, as the batch holds it.
    """

    key: tuple[int, int]
    digest: int
    row: dict[str, Any]

    def joined(self, resolution: Resolution) -> Resolution:
        """What is written for their update, with them."""
        row = resolution.row[:-1] + b',"person":' + orjson.dumps(self.row) + b"}"
        return replace(resolution, row=row, has_person=True)


class Acquaintances:
    """Whom this process has written lately, and how they were called: they are not written again.

    Losing it costs a statement for each, and nothing else.

    Args:
        seconds: for so long somebody whose profile stays the same is not written again.
        most: so many are remembered.
    """

    def __init__(self, seconds: float = _SECONDS, most: int = _MOST) -> None:
        self._seconds = seconds
        self._most = most
        self._known: dict[tuple[int, int], tuple[int, float]] = {}
        """The digest of a profile, and when it was written; the oldest first."""
        self._lock = Lock()

    def news_of(self, bot_id: int, update: Update, at: datetime) -> Person | None:
        """The person of an update, if they are to be written with it.

        Args:
            bot_id: whose update.
            update: as python-telegram-bot reads it.
            at: when it came.
        """
        user = update.effective_user
        if user is None or user.is_bot or user.id in _NOBODY:
            return None
        try:
            digest = hash((user.first_name, user.last_name, user.username, user.language_code, user.is_premium))
            if not 0 < user.id < _LARGEST_ID:
                return None
        except TypeError:
            # No profile of Telegram's, which is no reason to fail the update.
            return None
        key = (bot_id, user.id)
        known = self._known.get(key)
        if known is not None and known[0] == digest and time.monotonic() - known[1] < self._seconds:
            return None
        return Person(key, digest, _row(user, at))

    def keep(self, person: Person) -> None:
        """They were written."""
        with self._lock:
            self._known.pop(person.key, None)
            self._known[person.key] = (person.digest, time.monotonic())
            if len(self._known) > self._most:
                del self._known[next(iter(self._known))]

    def forget(self, bot_id: int) -> None:
        """Somebody of this bot was erased: everybody of it is news again."""
        with self._lock:
            for key in [one for one in self._known if one[0] == bot_id]:
                del self._known[key]


ACQUAINTANCES: Final = Acquaintances()
"""Those of this process."""


def _row(user: User, at: datetime) -> dict[str, Any]:
    return {
        "id": user.id,
        "first_name": _text(user.first_name) or "",
        "last_name": _text(user.last_name),
        "username": _text(user.username),
        "language_code": _text(user.language_code),
        "is_premium": user.is_premium is True,
        "at": at,
    }


def _text(value: object) -> str | None:
    """What Telegram calls a name: whatever else it may be must not keep the update from being written."""
    return storable(value[:_LONGEST_NAME]) if isinstance(value, str) and value else None
