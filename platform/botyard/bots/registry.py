"""Finding bots. No tokens are opened here, so the web process may import it. See docs/bots.md."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.engine import get_sessions
from db.models import Bot, BotIdentity


@dataclass(frozen=True, slots=True)
class ServedBot:
    """What a process needs of a bot that it serves."""

    id: int
    customer_id: int
    telegram_id: int
    kind: str
    name: str
    username: str
    token_encrypted: bytes
    api_url: str
    status: str
    config_version: int
    queue: str = "slow"
    answers_callbacks: bool = True
    """Whether a callback query that its handlers leave unanswered is answered for it."""
    repeats: bool = True
    """Whether a send of unknown outcome is made again; else it stays ``uncertain``."""
    sends_directly: bool = False
    """Whether its handlers wait for the answer to each send."""
    retries: bool = True
    """Whether an update whose handlers raise is tried again."""
    forgets_after: int = 0
    """Seconds for which unchanged memory of chats and people counts; 0: for ever."""


@dataclass(frozen=True, slots=True)
class Intake:
    """What the webhook needs of a bot."""

    telegram_id: int
    secret_hash: bytes


@dataclass(frozen=True, slots=True)
class Routing:
    """What the mailboxes need of a bot, and which reading of its row this is."""

    telegram_id: int
    queue: str
    share: int | None
    paused: bool
    removed: bool
    """Its removal has begun."""
    row: int
    version: int


@dataclass(frozen=True, slots=True)
class PolledBot:
    """What the poller needs of a bot."""

    telegram_id: int
    kind: str
    api_url: str
    token_encrypted: bytes


def polled_bots() -> list[PolledBot]:
    """The bots whose updates are fetched."""
    query = select(Bot).where(Bot.intake == "polling", Bot.status.in_(("active", "paused")))
    with get_sessions("system")() as session:
        return [
            PolledBot(bot.telegram_id, bot.kind, bot.api_url, bytes(bot.token_encrypted))
            for bot in session.scalars(query)
        ]


def find_by_telegram_id(telegram_id: int) -> ServedBot | None:
    """The bot that has, or once had, this identity at Telegram."""
    query = select(Bot).join(BotIdentity, BotIdentity.bot_id == Bot.id).where(BotIdentity.telegram_id == telegram_id)
    with get_sessions("system")() as session:
        return _served(session.scalars(query).first())


def find(bot_id: int) -> ServedBot | None:
    """The bot of this row."""
    with get_sessions("system")() as session:
        return _served(session.get(Bot, bot_id))


def find_intake(public_id: str) -> Intake | None:
    """Whose webhook this path is."""
    query = select(Bot.telegram_id, Bot.webhook_secret_hash).where(Bot.public_id == public_id)
    with get_sessions("system")() as session:
        row = session.execute(query).first()
    return None if row is None else Intake(row.telegram_id, bytes(row.webhook_secret_hash))


def routings(after: int, limit: int) -> list[Routing]:
    """How bots' updates are routed, in the order of their rows.

    Args:
        after: the row behind which to begin.
        limit: how many at most.
    """
    with get_sessions("system")() as session:
        return [
            routing_of(bot) for bot in session.scalars(select(Bot).where(Bot.id > after).order_by(Bot.id).limit(limit))
        ]


def routing_of(bot: Bot) -> Routing:
    """How one bot's updates are routed."""
    return Routing(
        bot.telegram_id, bot.queue, bot.share, bot.status in ("paused", "error", "inactive"),
        bot.status == "inactive", bot.id, bot.config_version,
    )  # fmt: skip


def bot_by_telegram_id(session: Session, telegram_id: int) -> Bot | None:
    """The row with this identity, in the caller's transaction."""
    return session.scalars(select(Bot).where(Bot.telegram_id == telegram_id)).first()


def _served(bot: Bot | None) -> ServedBot | None:
    if bot is None:
        return None
    return ServedBot(
        id=bot.id,
        customer_id=bot.customer_id,
        telegram_id=bot.telegram_id,
        kind=bot.kind,
        name=bot.name,
        username=bot.username,
        token_encrypted=bytes(bot.token_encrypted),
        api_url=bot.api_url,
        status=bot.status,
        config_version=bot.config_version,
        queue=bot.queue,
        answers_callbacks=bool(bot.settings.get("answer_callbacks", True)),
        repeats=bool(bot.settings.get("repeat_uncertain", True)),
        sends_directly=bot.settings.get("sends") == "direct",
        retries=bool(bot.settings.get("retry", True)),
        forgets_after=int(bot.settings.get("forget_after", 0)),
    )
