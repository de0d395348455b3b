"""What a bot's owner notes of a person."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from botyard.errors import Stale
from botyard.users.tags import attributes_after, fit_language, tags_after
from db.models import BotUser


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be noted; what is not named stays.

    Args:
        added: tags that they get.
        removed: tags that they lose.
        attributes: by name; null removes one.
        language: what they read; none: whatever their Telegram says.
        has_language: whether the language is to be changed at all.
    """

    added: Sequence[str] = ()
    removed: Sequence[str] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    language: str | None = None
    has_language: bool = False


def note(session: Session, bot_id: int, user_id: int, changes: Changes, expected: int | None) -> bool:
    """Note something of a person, in the caller's transaction; false if the bot has never heard of them.

    Args:
        session: of the bot's customer.
        bot_id: the bot's row.
        user_id: Telegram's number of them.
        changes: what.
        expected: the version that was seen; none: whichever it is.

    Raises:
        InputError: it cannot be noted.
        Stale: somebody else noted something meanwhile.
    """
    row = session.get(BotUser, (bot_id, user_id), with_for_update=True)
    if row is None:
        return False
    if expected is not None and row.version != expected:
        raise Stale(row.version)
    before = (row.tags, row.attributes, row.language)
    row.tags = tags_after(row.tags, changes.added, changes.removed)
    row.attributes = attributes_after(row.attributes, changes.attributes)
    if changes.has_language:
        row.language = fit_language(changes.language)
    if (row.tags, row.attributes, row.language) != before:
        row.version += 1
    return True
