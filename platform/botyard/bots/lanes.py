"""What waits to be processed and to be sent, for what, and since when. See docs/delivery.md."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, cast

import orjson
from redis import Redis
from sqlalchemy import select, text
from sqlalchemy.orm import Session

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
  SELECT bot_id, lane, state, due, after_id, chat_key, created_at, error,
         row_number() OVER (PARTITION BY bot_id, chat_key, lane ORDER BY id) AS place
    FROM outbox WHERE bot_id = ANY(:bots) AND state IN ('queued', 'retry', 'sending')
), shut AS (
  SELECT * FROM unnest(cast(:shut_bots AS bigint[]), cast(:shut_chats AS text[])) AS x(bot_id, chat_key)
)
SELECT bot_id, lane, CASE
         WHEN state = 'sending' THEN 'being sent'
         WHEN place > 1 THEN 'an earlier one'
         WHEN EXISTS (SELECT 1 FROM shut s WHERE s.bot_id = open.bot_id AND s.chat_key IN (open.chat_key, ''))
         THEN 'closed by Telegram'
         WHEN EXISTS (SELECT 1 FROM outbox a WHERE a.id = open.after_id AND a.state IN ('queued', 'retry', 'sending'))
         THEN 'its message'
         WHEN due <= now() THEN 'a sender'
         WHEN state = 'retry' THEN 'another try'
         ELSE 'a permit' END AS cause,
       count(*), extract(epoch FROM now() - min(created_at))::float8, max(error) FILTER (WHERE state = 'retry')
  FROM open GROUP BY 1, 2, 3 ORDER BY 1, 2, 4 DESC
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
    with get_sessions("system")() as session:
        bots = [find_bot(session, name)] if name else list(session.scalars(select(Bot).order_by(Bot.id)))
    waiting = lanes_of(bots, settings).values()
    return Lanes([lane for one in waiting for lane in one.lanes], [shut for one in waiting for shut in one.closed])


def lanes_of(bots: Sequence[Bot], settings: Settings) -> dict[int, Lanes]:
    """The same of these bots, by their rows."""
    found: dict[int, Lanes] = {}
    order = [lane.name.lower() for lane in Lane]
    with get_sessions("system")() as session, redis_of(settings) as redis:
        shut = {bot.id: closed_chats(redis, bot.id) for bot in bots}
        sends = _sends(session, bots, shut)
        given_up = _given_up(redis)
        for bot in bots:
            states = sends.get(bot.id, {})
            for lane, counts in given_up.get(bot.id, {}).items():
                states.setdefault(lane, LaneState(bot.username, lane)).given_up = counts
            closed = [Closure(bot.username, chat, datetime.fromtimestamp(at, UTC)) for chat, at in shut[bot.id].items()]
            found[bot.id] = Lanes([*_mail(redis, bot), *(states[lane] for lane in order if lane in states)], closed)
    return found


def _sends(
    session: Session, bots: Sequence[Bot], shut: Mapping[int, Mapping[str, float]]
) -> dict[int, dict[str, LaneState]]:
    """What waits in the outboxes of bots, in one statement: by bot and lane."""
    names = {bot.id: bot.username for bot in bots}
    closed = [(bot_id, chat) for bot_id, chats in shut.items() for chat in chats]
    values = {"bots": list(names), "shut_bots": [bot for bot, _ in closed], "shut_chats": [chat for _, chat in closed]}
    found: dict[int, dict[str, LaneState]] = {}
    for bot_id, lane, cause, count, seconds, error in session.execute(text(_OPEN), values):
        name = Lane(lane).name.lower()
        state = found.setdefault(bot_id, {}).setdefault(name, LaneState(names[bot_id], name))
        state.waiting += count
        state.oldest_seconds = max(state.oldest_seconds, seconds)
        state.causes[cause] = count
        state.error = error or state.error
    return found


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


def _given_up(redis: "Redis") -> dict[int, dict[str, dict[str, int]]]:
    """How many ended unsent: by bot, lane and state."""
    found: dict[int, dict[str, dict[str, int]]] = {}
    for name, value in cast("dict[bytes, bytes]", redis.hgetall(metrics.HASH)).items():
        figure, _, labels = orjson.loads(name)
        if figure == metrics.GIVEN_UP.name:
            lane = found.setdefault(int(labels["bot"]), {}).setdefault(labels["lane"], {})
            lane[labels["state"]] = round(float(value))
    return found
