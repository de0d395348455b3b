"""Bots in lists: those that somebody wants to see, in parts, those with troubles first if that is wanted."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Select, case, func, or_, select, tuple_

from db.engine import get_sessions
from db.models import Bot, BotHealth

SeenBot = tuple[Bot, BotHealth | None]
Place = tuple[int, int]
"""Where a bot stands in its list: how much trouble it has, and its number."""

_NO_MATTER: Final = 3
_TROUBLE: Final = case(
    (or_(Bot.status == "error", BotHealth.state == "trouble"), 0),
    (BotHealth.state == "warning", 1),
    (Bot.status != "active", 2),
    else_=_NO_MATTER,
)


@dataclass(frozen=True, slots=True)
class BotsWanted:
    """Which bots somebody wants to see.

    Args:
        customer_id: whose.
        status: as in its row.
        health: what the last check has found; ``unknown`` before the first.
        kind: of these.
        beginning: how their usernames begin.
        among: only these.
        trouble_first: those with troubles first, then those that are off; else in the order of their numbers.
    """

    customer_id: int | None = None
    status: str | None = None
    health: str | None = None
    kind: str | None = None
    beginning: str | None = None
    among: Collection[int] | None = None
    trouble_first: bool = False


def bots_query(wanted: BotsWanted, after: Place | None, limit: int) -> Select[Bot, BotHealth]:
    """Bots with their health, in order.

    Args:
        wanted: which.
        after: behind which place to begin.
        limit: how many at most.
    """
    query = select(Bot, BotHealth).outerjoin(BotHealth, BotHealth.bot_id == Bot.id)
    for column, value in (
        (Bot.customer_id, wanted.customer_id), (Bot.status, wanted.status), (Bot.kind, wanted.kind),
        (func.coalesce(BotHealth.state, "unknown"), wanted.health),
    ):  # fmt: skip
        if value is not None:
            query = query.where(column == value)
    if wanted.beginning:
        query = query.where(func.lower(Bot.username).startswith(wanted.beginning.lower(), autoescape=True))
    if wanted.among is not None:
        query = query.where(Bot.id.in_(sorted(wanted.among)))
    if not wanted.trouble_first:
        return query.where(Bot.id > (after[1] if after else 0)).order_by(Bot.id).limit(limit)
    if after is not None:
        query = query.where(tuple_(_TROUBLE, Bot.id) > tuple_(*after))
    return query.order_by(_TROUBLE, Bot.id).limit(limit)


def place_of(seen: SeenBot, wanted: BotsWanted) -> Place:
    """Where a bot stands in a list."""
    bot, health = seen
    if not wanted.trouble_first:
        return 0, bot.id
    state = "unknown" if health is None else health.state
    if bot.status == "error" or state == "trouble":
        return 0, bot.id
    return (1 if state == "warning" else 2 if bot.status != "active" else _NO_MATTER), bot.id


def find_bots(wanted: BotsWanted, after: Place | None, limit: int) -> list[SeenBot]:
    """Bots of every customer; for superadmins."""
    with get_sessions("system")() as session:
        return [(bot, health) for bot, health in session.execute(bots_query(wanted, after, limit))]
