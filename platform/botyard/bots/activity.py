"""What bots did, counted for each of their days, and told to whoever watches. See docs/watching.md.

A process counts in its own memory and writes every few seconds: a row per update would cost what the update costs. A
process that is killed loses what it has not written; what each update and each send became stands in their own rows.
"""

import threading
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final, Literal

from sqlalchemy import select, text

from botyard.bots.health.verdicts import renew_contacts
from botyard.bots.registry import ServedBot
from botyard.sync import get_sync
from db.engine import get_engine, get_sessions
from db.models import BotDay

Figure = Literal["updates", "dead_updates", "sent", "unsent", "uncertain"]

_FIGURES: Final[tuple[Figure, ...]] = ("updates", "dead_updates", "sent", "unsent", "uncertain")
# A bot that was removed meanwhile has no days any more.
_ADD: Final = text(f"""
INSERT INTO bot_days AS d (bot_id, day, customer_id, {", ".join(_FIGURES)})
SELECT b.id, x.day, b.customer_id, {", ".join(f"x.{figure}" for figure in _FIGURES)}
  FROM unnest(cast(:bots AS bigint[]), cast(:days AS date[]),
              {", ".join(f"cast(:{figure} AS bigint[])" for figure in _FIGURES)})
       AS x(bot, day, {", ".join(_FIGURES)}) JOIN bots b ON b.id = x.bot
 ORDER BY b.id, x.day
    ON CONFLICT (bot_id, day) DO UPDATE
       SET {", ".join(f"{figure} = d.{figure} + excluded.{figure}" for figure in _FIGURES)}
""")  # noqa: S608 - joined from constants

_lock = threading.Lock()
_counted: defaultdict[tuple[int, date], Counter[Figure]] = defaultdict(Counter)
_told: dict[int, int] = {}
"""Customers by bots of which something was counted since it was told last."""


@dataclass(frozen=True, slots=True)
class Day:
    """What a bot did on one day (UTC)."""

    day: str
    updates: int
    dead_updates: int
    sent: int
    unsent: int
    uncertain: int


def days_of(bot_id: int, limit: int) -> list[Day]:
    """What a bot did, the latest day last; for the operator of the installation.

    Args:
        bot_id: its row.
        limit: how many days at most.
    """
    query = select(BotDay).where(BotDay.bot_id == bot_id).order_by(BotDay.day.desc()).limit(limit)
    with get_sessions("system")() as session:
        rows = list(session.scalars(query))
    return [
        Day(row.day.isoformat(), row.updates, row.dead_updates, row.sent, row.unsent, row.uncertain)
        for row in reversed(rows)
    ]


def note(bot: ServedBot, figure: Figure, amount: int = 1) -> None:
    """Count something that a bot did just now."""
    with _lock:
        _counted[bot.id, datetime.now(UTC).date()][figure] += amount
        _told[bot.id] = bot.customer_id


def tell() -> None:
    """Say of which bots there is something new: once for all that they did since the last call."""
    with _lock:
        active = dict(_told)
        _told.clear()
    for bot_id, customer_id in active.items():
        get_sync().publish("activity.noted", {"id": bot_id, "customer": customer_id})


def write() -> None:
    """Add to the bots' days what was counted since the last call; what cannot be written now is kept."""
    with _lock:
        counted = dict(_counted)
        _counted.clear()
    if not counted:
        return
    columns: dict[str, Sequence[object]] = {
        "bots": [bot for bot, _ in counted],
        "days": [day for _, day in counted],
        **{figure: [counts[figure] for counts in counted.values()] for figure in _FIGURES},
    }
    try:
        with get_engine("system").begin() as connection:
            connection.execute(_ADD, columns)
    except Exception:
        with _lock:
            for key, counts in counted.items():
                _counted[key].update(counts)
        raise
    # Who sends is answered by Telegram: that is no first contact.
    renew_contacts({bot for (bot, _), counts in counted.items() if counts["sent"]})
