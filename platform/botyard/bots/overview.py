"""Looking at bots and changing their status. See docs/commands.md."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from redis import Redis
from sqlalchemy import select

from botyard.bots.registry import routing_of
from botyard.bots.routing import publish
from botyard.errors import InputError
from botyard.settings import Settings
from db.engine import get_sessions
from db.models import Bot, Event


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


def summaries(settings: Settings) -> list[BotSummary]:
    """Every bot, in the order of its adding."""
    with get_sessions("system")() as session:
        bots = list(session.scalars(select(Bot).order_by(Bot.id)))
    with Redis.from_url(settings.require("redis_url")) as redis:
        pipe = redis.pipeline(transaction=False)
        for bot in bots:
            pipe.hget(f"by:bot:{bot.telegram_id}", "held")
        held = pipe.execute()
    return [
        BotSummary(bot.id, bot.username, bot.kind, bot.status, bot.queue, bot.intake, int(waiting or 0))
        for bot, waiting in zip(bots, held, strict=True)
    ]


def set_status(name: str, status: Literal["active", "paused"], settings: Settings) -> BotSummary:
    """Pause a bot or let it go on. While it is paused its updates wait; what it has to send still goes out.

    Args:
        name: its number in the list, or its username with or without ``@``.
        status: what it is to be.
        settings: where its mailboxes are.

    Raises:
        InputError: there is no such bot.
    """
    with get_sessions("system").begin() as session:
        wanted = Bot.id == int(name) if name.isdigit() else Bot.username == name.removeprefix("@")
        bot = session.scalars(select(Bot).where(wanted)).first()
        if bot is None:
            raise InputError("bot", f"there is no bot {name!r}.", "See `botyard bot list`.")
        bot.status, bot.status_reason, bot.status_since = status, "asked for on the command line", datetime.now(UTC)
        entity = f"telegram:{bot.telegram_id}"
        session.add(
            Event(customer_id=bot.customer_id, bot_id=bot.id, type=f"bot.{status}", entity=entity, actor="cli", data={})
        )
        number, route = bot.id, routing_of(bot)
    with Redis.from_url(settings.require("redis_url")) as redis:
        publish(redis, route)
    return next(summary for summary in summaries(settings) if summary.id == number)
