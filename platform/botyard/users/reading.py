"""The people of a bot, as its owner's transaction sees them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Text, and_, cast, func, or_, select, text, tuple_
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from botyard.errors import InputError
from botyard.users.tags import fit_tag
from db.models import BotUser, Chat

# Nobody who looks for what is nowhere keeps the database busy for long. Under row-level security how a name begins
# and what tags there are is found by looking at each of the bot's people: half a second for 500,000 of them.
_MOST_SECONDS: Final = "SET LOCAL statement_timeout = '2s'"
_TOO_LONG: Final = "57014"


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which people are meant: those to whom everything given applies.

    Args:
        tag: a tag that they have.
        language: what they read: the one that was noted, or else what their Telegram says.
        blocked: whether they can be reached.
        seen_since: when the bot heard of them last, or later.
        prefix: how their username, or their name, begins, in any case of letters.
    """

    tag: str | None = None
    language: str | None = None
    blocked: bool | None = None
    seen_since: datetime | None = None
    prefix: str | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """One person, and since when they cannot be reached, if they cannot."""

    user: BotUser
    unreachable_since: datetime | None


Place = tuple[datetime, int]
"""Behind whom a part of a list begins: when they were last seen, and their number."""


def users(session: Session, bot_id: int, chosen: Chosen, before: Place | None, limit: int) -> list[Known]:
    """People of a bot, those heard of last first.

    Args:
        session: of the bot's customer.
        bot_id: the bot's row.
        chosen: which.
        before: where to begin; none: with the last one.
        limit: how many at most.

    Raises:
        InputError: the tag cannot be one, or it takes too long.
    """
    session.execute(text(_MOST_SECONDS))
    query = _selected().where(BotUser.bot_id == bot_id, *_conditions(chosen))
    if before is not None:
        query = query.where(tuple_(BotUser.last_seen, BotUser.user_id) < tuple_(*before))
    try:
        rows = session.execute(query.order_by(BotUser.last_seen.desc(), BotUser.user_id.desc()).limit(limit)).all()
    except DBAPIError as error:
        if getattr(error.orig, "pgcode", None) != _TOO_LONG:
            raise
        remedy = "Say since when they were there, or ask again without it."
        raise InputError("q", "is not found within two seconds.", remedy) from None
    return [Known(user, since) for user, since in rows]


def user(session: Session, bot_id: int, user_id: int) -> Known | None:
    """One of them; none if the bot has never heard of them."""
    row = session.execute(_selected().where(BotUser.bot_id == bot_id, BotUser.user_id == user_id)).first()
    return None if row is None else Known(row[0], row[1])


def _selected() -> Any:
    # The chat with a person has their number.
    return select(BotUser, Chat.unreachable_since).outerjoin(
        Chat, and_(Chat.bot_id == BotUser.bot_id, Chat.chat_key == cast(BotUser.user_id, Text))
    )


def _conditions(chosen: Chosen) -> list[Any]:
    found: list[Any] = []
    if chosen.tag is not None:
        found.append(BotUser.tags.op("@>")([fit_tag(chosen.tag)]))
    if chosen.language is not None:
        language = func.lower(func.coalesce(BotUser.language, BotUser.language_code))
        found.append(language == chosen.language.lower())
    if chosen.blocked is not None:
        found.append(Chat.unreachable_since.is_not(None) if chosen.blocked else Chat.unreachable_since.is_(None))
    if chosen.seen_since is not None:
        found.append(BotUser.last_seen >= chosen.seen_since)
    if chosen.prefix is not None:
        begin = chosen.prefix.removeprefix("@").lower()
        name = func.lower(BotUser.first_name + " " + func.coalesce(BotUser.last_name, ""))
        found.append(
            or_(
                func.lower(BotUser.username).startswith(begin, autoescape=True),
                name.startswith(begin, autoescape=True),
            )
        )
    return found
