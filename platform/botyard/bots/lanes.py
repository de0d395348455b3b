"""What waits to be processed and to be sent, for what, and since when. See docs/delivery.md."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, cast

import orjson
from redis import Redis
from sqlalchemy import select, text

from botyard.bots.naming import find_bot
from botyard.bots.overview import closed_chats
from botyard.mailbox.server import redis_of
from botyard.settings import Settings
from botyard.telegram.run import Lane
from botyard.telemetry import metrics
from db.engine import get_sessions
from db.models import Bot

_CHATS_LOOKED_AT: Final = 1000

# The oldest open row of each (chat, lane) waits for something; the others wait for it.
_OPEN: Final = """
WITH open AS (
  SELECT lane, state, due, after_id, chat_key, created_at, error,
         row_number() OVER (PARTITION BY chat_key, lane ORDER BY id) AS place
    FROM outbox WHERE bot_id = :bot AND state IN ('queued', 'retry', 'sending')
)
SELECT lane, CASE
         WHEN state = 'sending' THEN 'being sent'
         WHEN place > 1 THEN 'an earlier one'
         WHEN chat_key = ANY(:closed) OR '' = ANY(:closed) THEN 'closed by Telegram'
         WHEN EXISTS (SELECT 1 FROM outbox a WHERE a.id = open.after_id AND a.state IN ('queued', 'retry', 'sending'))
         THEN 'its message'
         WHEN due <= now() THEN 'a sender'
         WHEN state = 'retry' THEN 'another try'
         ELSE 'a permit' END AS cause,
       count(*), extract(epoch FROM now() - min(created_at))::float8, max(error) FILTER (WHERE state = 'retry')
  FROM open GROUP BY 1, 2 ORDER BY 1, 3 DESC
"""


@dataclass(slots=True)
class LaneState:
    """One lane of one bot: its mailboxes (``updates``), or a lane of its outbox."""

    bot: str
    lane: str
    waiting: int = 0
    oldest_seconds: float = 0.0
    causes: dict[str, int] = field(default_factory=dict)
    """What they wait for, and how many do."""
    error: str | None = None
    """The last answer to one that is tried again."""
    given_up: dict[str, int] = field(default_factory=dict)
    """How many ended unsent since the figures began, by state."""


@dataclass(frozen=True, slots=True)
class Closure:
    """A chat, or a whole bot, that Telegram closed with 429."""

    bot: str
    chat: str
    """Empty: the whole bot."""
    opens_at: datetime


@dataclass(frozen=True, slots=True)
class Lanes:
    """Everything that waits, and what is closed."""

    lanes: list[LaneState]
    closed: list[Closure]


def lanes(settings: Settings, name: str | None = None) -> Lanes:
    """What waits of one bot or of all; lanes in which nothing waits and nothing was given up are left out.

    Args:
        settings: where the mailboxes are.
        name: any of the bot's names: see `botyard.bots.naming`.

    Raises:
        InputError: there is no such bot.
    """
    found, closed = [], []
    with get_sessions("system")() as session, redis_of(settings) as redis:
        bots = [find_bot(session, name)] if name else list(session.scalars(select(Bot).order_by(Bot.id)))
        given_up = _given_up(redis)
        for bot in bots:
            shut = closed_chats(redis, bot.id)
            closed += [Closure(bot.username, chat, datetime.fromtimestamp(at, UTC)) for chat, at in shut.items()]
            states = {state.lane: state for state in _sends(session, bot, list(shut))}
            for (number, lane), counts in given_up.items():
                if number == bot.id:
                    states.setdefault(lane, LaneState(bot.username, lane)).given_up = counts
            order = [lane.name.lower() for lane in Lane]
            found += [*_mail(redis, bot), *(states[lane] for lane in order if lane in states)]
    return Lanes(found, closed)


def _sends(session: Any, bot: Bot, closed: Sequence[str]) -> list[LaneState]:
    found: dict[int, LaneState] = {}
    for lane, cause, count, seconds, error in session.execute(text(_OPEN), {"bot": bot.id, "closed": list(closed)}):
        state = found.setdefault(lane, LaneState(bot.username, Lane(lane).name.lower()))
        state.waiting += count
        state.oldest_seconds = max(state.oldest_seconds, seconds)
        state.causes[cause] = count
        state.error = error or state.error
    return list(found.values())


def _mail(redis: "Redis", bot: Bot) -> list[LaneState]:
    """The mailboxes, as far as the thousand chats that have waited longest tell."""
    number, now = bot.telegram_id, time.time() * 1000
    held, paused = cast("list[bytes | None]", redis.hmget(f"by:bot:{number}", ["held", "paused"]))
    waiting = int(held or 0)
    if waiting <= 0:
        return []
    places = cast(
        "list[tuple[bytes, float]]", redis.zrange(f"by:chats:{number}", 0, _CHATS_LOOKED_AT - 1, withscores=True)
    )
    owned = set(cast("list[bytes]", redis.hkeys(f"by:own:{number}")))
    pipe = redis.pipeline(transaction=False)
    for chat, _ in places:
        pipe.lindex(f"by:box:{number}:{chat.decode()}", 0)
        pipe.llen(f"by:box:{number}:{chat.decode()}")
    answers = pipe.execute()
    causes: Counter[str] = Counter()
    for (chat, score), length in zip(places, answers[1::2], strict=True):
        head = "a worker" if score <= now else "being processed" if chat in owned else "another try"
        causes["the bot's pause" if paused == b"1" and head == "a worker" else head] += 1
        causes["an earlier one"] += length - 1
    stamps = [int(head.split(b" ", 2)[1]) for head in answers[::2] if head]
    oldest = max(0.0, now - min(stamps)) / 1000 if stamps else 0.0
    return [LaneState(bot.username, "updates", waiting, oldest, {key: n for key, n in causes.items() if n})]


def _given_up(redis: "Redis") -> dict[tuple[int, str], dict[str, int]]:
    found: dict[tuple[int, str], dict[str, int]] = {}
    for name, value in cast("dict[bytes, bytes]", redis.hgetall(metrics.HASH)).items():
        figure, _, labels = orjson.loads(name)
        if figure == metrics.GIVEN_UP.name:
            lane = found.setdefault((int(labels["bot"]), labels["lane"]), {})
            lane[labels["state"]] = round(float(value))
    return found
