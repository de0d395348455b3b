"""Looking at bots and changing their status. See docs/commands.md."""

import time
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, cast

from redis import Redis
from sqlalchemy import func, select, text

from botyard.bots.naming import find_bot
from botyard.bots.registry import find, routings_of
from botyard.bots.routing import tell
from botyard.bots.searching import BotsWanted, find_bots
from botyard.bots.statuses import Status, change_status
from botyard.errors import InputError
from botyard.mailbox.server import redis_of
from botyard.settings import Settings
from botyard.telegram.run import Lane
from botyard.vault.sealed import SealedSecret
from db.engine import get_sessions
from db.models import DeadLetter, InboxRow, OutboxRow

_ALL: Final = 1_000_000
_CHATS_LOOKED_AT: Final = 1000
_OPEN: Final = ("queued", "retry", "sending")


@dataclass(frozen=True, slots=True)
class BotSummary:
    """One line of a list of bots."""

    id: int
    username: str
    kind: str
    status: str
    queue: str
    intake: str
    waiting: int
    """Updates accepted and not yet processed."""
    health: str = "unknown"
    """What the last health check found."""


def summaries(settings: Settings, wanted: BotsWanted | None = None) -> list[BotSummary]:
    """The bots that somebody wants to see, or every bot: in the order of their adding, if no other one is wanted."""
    seen = find_bots(wanted or BotsWanted(), None, _ALL)
    bots = [bot for bot, _ in seen]
    with redis_of(settings) as redis:
        pipe = redis.pipeline(transaction=False)
        for bot in bots:
            pipe.hget(f"by:bot:{bot.telegram_id}", "held")
        held = pipe.execute()
    return [
        BotSummary(
            bot.id, bot.username, bot.kind, bot.status, bot.queue, bot.intake, int(waiting or 0),
            "unknown" if health is None else health.state,
        )
        for (bot, health), waiting in zip(seen, held, strict=True)
    ]  # fmt: skip


def set_status(name: str, status: Status, settings: Settings, reason: str | None = None) -> BotSummary:
    """Give a bot another status; what each means stands in docs/manager.md.

    Args:
        name: any of its names: see `botyard.bots.naming`.
        status: what it is to be.
        settings: where its mailboxes are.
        reason: why, for those who look at it.

    Raises:
        InputError: there is no such bot.
    """
    with get_sessions("system").begin() as session:
        bot = find_bot(session, name)
        session.refresh(bot, with_for_update=True)
        # Whoever chooses how it is served wants it kept, though its removal had begun.
        bot.removal_began = None
        change_status(session, bot, status, reason or "asked for on the command line")
        number, routes = bot.id, routings_of(session, [bot])
    tell(routes)
    return summaries(settings, BotsWanted(among=[number]))[0]


@dataclass(frozen=True, slots=True)
class BotDetails:
    """Everything that is known of one bot, but its secrets."""

    id: int
    username: str
    name: str
    picture: str | None
    """The file id of its own picture."""
    telegram_id: int
    public_id: str
    """The name in its webhook's path; what makes a request genuine is the secret, which is not shown."""
    kind: str
    status: str
    status_reason: str | None
    status_since: datetime
    queue: str
    share: int | None
    intake: str
    api_url: str
    added: datetime
    waiting: int
    oldest_seconds: float | None
    """For how long the oldest of them has waited."""
    unsent: int
    """Rows of the outbox that are still open."""
    dead_letters: int
    last_update: datetime | None
    last_send: datetime | None
    last_send_state: str | None
    last_send_error: str | None


def details(name: str, settings: Settings) -> BotDetails:
    """One bot, by any of its names.

    Raises:
        InputError: there is no such bot.
    """
    bot = kept_details(name)
    waiting, oldest = waiting_mail(bot.telegram_id, settings)
    return replace(bot, waiting=waiting, oldest_seconds=oldest)


def kept_details(name: str) -> BotDetails:
    """One bot as the database alone knows it: as if nothing waited in its mailboxes.

    Raises:
        InputError: there is no such bot.
    """
    with get_sessions("system")() as session:
        bot = find_bot(session, name)
        received = select(InboxRow.received_at).where(InboxRow.telegram_id == bot.telegram_id, InboxRow.update_id > 0)
        last_update = session.scalar(received.order_by(InboxRow.update_id.desc()).limit(1))
        sent = select(OutboxRow).where(OutboxRow.bot_id == bot.id, OutboxRow.resolved_at.is_not(None))
        last_send = session.scalars(sent.order_by(OutboxRow.id.desc()).limit(1)).first()
        still_open = select(func.count()).where(OutboxRow.bot_id == bot.id, OutboxRow.state.in_(_OPEN))
        unsent = session.scalar(still_open) or 0
        letters = select(func.count()).where(DeadLetter.bot_id == bot.id, DeadLetter.replayed_at.is_(None))
        dead = session.scalar(letters) or 0
    return BotDetails(
        bot.id, bot.username, bot.name, bot.picture, bot.telegram_id, bot.public_id, bot.kind, bot.status,
        bot.status_reason, bot.status_since, bot.queue, bot.share, bot.intake, bot.api_url, bot.created_at,
        0, None, unsent, dead,
        last_update,
        last_send.resolved_at if last_send else None,
        last_send.state if last_send else None,
        last_send.error if last_send else None,
    )  # fmt: skip


def waiting_mail(telegram_id: int, settings: Settings) -> tuple[int, float | None]:
    """How many updates wait, and for how many seconds the oldest of them has."""
    with redis_of(settings) as redis:
        chats = [chat.decode() for chat in redis.zrange(f"by:chats:{telegram_id}", 0, _CHATS_LOOKED_AT - 1)]
        pipe = redis.pipeline(transaction=False)
        pipe.hget(f"by:bot:{telegram_id}", "held")
        for chat in chats:
            pipe.lindex(f"by:box:{telegram_id}:{chat}", 0)
        held, *heads = pipe.execute()
    stamps = [int(head.split(b" ", 2)[1]) / 1000 for head in heads if head]
    return int(held or 0), max(0.0, time.time() - min(stamps)) if stamps else None


@dataclass(frozen=True, slots=True)
class OutboxLane:
    """One lane of one bot's outbox."""

    lane: str
    open: int
    oldest_seconds: float
    error: str | None
    """The last answer to one of its rows that are tried again."""
    uncertain: int
    """Rows whose outcome is unknown and that are not repeated."""
    closed_chats: int
    """How many of its chats Telegram has closed (429)."""
    closed_seconds: float
    """For how long the longest of them is closed yet."""


_LANES: Final = """
SELECT lane, count(*) FILTER (WHERE state IN ('queued', 'retry', 'sending')),
       coalesce(extract(epoch FROM now() - min(created_at) FILTER (WHERE state IN ('queued', 'retry', 'sending'))), 0),
       max(error) FILTER (WHERE state = 'retry'), count(*) FILTER (WHERE state = 'uncertain'),
       (array_agg(DISTINCT chat_key) FILTER (WHERE state IN ('queued', 'retry', 'sending')))[1:1000]
  FROM outbox WHERE bot_id = :bot AND state IN ('queued', 'retry', 'sending', 'uncertain') GROUP BY lane ORDER BY lane
"""


def outbox_lanes(bot_id: int, settings: Settings) -> list[OutboxLane]:
    """The lanes of a bot's outbox in which something waits or is uncertain."""
    with get_sessions("system")() as session:
        rows = session.execute(text(_LANES), {"bot": bot_id}).all()
    found: list[OutboxLane] = []
    if not rows:
        return found
    with redis_of(settings) as redis:
        shut = closed_chats(redis, bot_id)
    for lane, waiting, oldest, error, uncertain, chats in rows:
        closed = [until - time.time() for chat, until in shut.items() if not chat or chat in (chats or ())]
        name = Lane(lane).name.lower()
        found.append(OutboxLane(name, waiting, float(oldest), error, uncertain, len(closed), max([0.0, *closed])))
    return found


def closed_chats(redis: "Redis", bot_id: int) -> dict[str, float]:
    """What Telegram closed with 429, and the second at which each opens; the empty chat is the whole bot."""
    now = time.time() * 1000
    rows = cast("list[tuple[bytes, float]]", redis.zrangebyscore(f"by:shut:{bot_id}", now, "+inf", withscores=True))
    return {chat.decode(): until / 1000 for chat, until in rows}


def sealed_token(bot_id: int) -> SealedSecret:
    """A bot's token as it is kept.

    Raises:
        InputError: there is no such bot.
    """
    bot = find(bot_id)
    if bot is None:
        raise InputError("bot", f"there is no bot {bot_id}.", "See `botyard bot list`.")
    return bot.token
