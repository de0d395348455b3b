"""The BotManager: which bots there are, what state they are in, and how a process learns that this changed.

See docs/manager.md. Source of the names: the BotManager and the MultiBotManager that this one replaces.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal, cast

import structlog
from redis import Redis
from sqlalchemy import func, select

from botyard.bots import errands, registry, statuses
from botyard.bots.connection.adding import NewBot, Registered, register_bot
from botyard.bots.known import Topic, compare, remember
from botyard.bots.registry import ServedBot
from botyard.bots.routing import publish_all, tell
from botyard.bots.statuses import Status
from botyard.errors import InputError
from botyard.settings import Settings
from botyard.sync import Data, SyncService
from botyard.telegram.request import AiohttpRequest
from db.engine import get_sessions
from db.models import Bot, BotHealth

log = structlog.get_logger(__name__)

METHOD: Final = "sqlalchemy-events"
Operation = Literal["save", "update", "delete"]
_OPERATIONS: Final[dict[str, Operation]] = {"created": "save", "updated": "update", "deleted": "delete"}
# A lost notification is made good by the sync of every five minutes; this is the net below that. Who hears nothing at
# all asks as often as one did before there were notifications.
_WATCHED_SECONDS: Final = 300.0
_ALONE_SECONDS: Final = 5.0
_MOST_TOLD: Final = 1000

Forget = Callable[[int | None], None]
"""Takes the row of a bot of which something changed; none: of any."""


@dataclass(frozen=True, slots=True)
class BotStatus:
    """How a bot is."""

    id: int
    status: Status
    reason: str | None
    since: datetime
    health: str
    """``ok``, ``warning``, ``trouble``, or ``unknown`` before its first health check."""
    health_says: str | None
    checked_at: datetime | None


@dataclass(frozen=True, slots=True)
class BotInfo:
    """A bot in a list."""

    id: int
    customer_id: int
    username: str
    name: str
    kind: str
    status: Status
    version: int


@dataclass(frozen=True, slots=True)
class BotStats:
    """How many bots are how. One that is paused or in maintenance counts as inactive."""

    total: int
    active: int
    inactive: int
    error: int
    is_watching: bool
    method: str = METHOD


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What a sync with the database found that was not noted as told."""

    added: int
    updated: int
    removed: int
    total: int
    seconds: float
    synced_at: datetime = field(default_factory=lambda: datetime.now(UTC))


class BotManager:
    """The bots that this process serves, as the database has them now, and every change of any bot.

    What it keeps it reads at first use, and forgets when it hears of a change: of that bot, and of no other.

    Args:
        sync: how changes are heard, and where bots are kept.
        redis: where it stands what all processes were told of last.
    """

    def __init__(self, sync: SyncService, redis: "Redis") -> None:
        self._sync = sync
        self._redis = redis
        self._forget: list[Forget] = []
        self._served: dict[int, set[int]] = {}
        sync.on("bots.*", self._bot_changed)
        sync.on("customers.*", self._customer_changed)
        sync.on("resync", lambda _, __: self._drop(None))

    # --- what this process serves ---

    def bot(self, bot_id: int) -> ServedBot | None:
        """The bot of this row; reads the database if it is not at hand."""
        return self.known_bot(bot_id) or self._read(lambda: registry.find(bot_id))

    def bot_by_telegram_id(self, telegram_id: int) -> ServedBot | None:
        """The bot that has, or once had, this identity at Telegram."""
        bot = self.known_bot_by_telegram_id(telegram_id)
        if bot is None:
            bot = self._read(lambda: registry.find_by_telegram_id(telegram_id))
            if bot is not None:
                self._sync.set_cache(f"identity:{telegram_id}", bot.id, _WATCHED_SECONDS)
        return bot

    def known_bot(self, bot_id: int) -> ServedBot | None:
        """The same if it is at hand; never waits."""
        found: ServedBot | None = self._sync.get_cache(f"bot:{bot_id}")
        return found

    def known_bot_by_telegram_id(self, telegram_id: int) -> ServedBot | None:
        """The same if it is at hand; never waits."""
        bot_id = self._sync.get_cache(f"identity:{telegram_id}")
        return None if bot_id is None else self.known_bot(bot_id)

    def _read(self, read: Callable[[], ServedBot | None]) -> ServedBot | None:
        mark = self._sync.mark()
        bot = read()
        if bot is not None:
            life = _WATCHED_SECONDS if self._sync.is_watching else _ALONE_SECONDS
            if self._sync.set_cache(f"bot:{bot.id}", bot, life, mark):
                self._served.setdefault(bot.customer_id, set()).add(bot.id)
        return bot

    # --- changes ---

    def watch(self, forget: Forget) -> None:
        """From now on call this at each change of a bot, in whatever thread hears of it.

        Args:
            forget: drops what the process keeps of one bot, or of all.
        """
        self._forget.append(forget)

    def handle_customer_change(self, operation: Operation, customer_id: int | None) -> None:
        """A customer was changed, here or in another process: what is kept of their bots is read anew.

        Args:
            operation: ``save`` of a new one, ``update`` or ``delete``.
            customer_id: which one; none: it is not known which.
        """
        log.debug("customer_changed", operation=operation, customer=customer_id)
        if customer_id is None:
            self._drop(None)
            return
        for bot_id in self._served.pop(customer_id, set()):
            self._drop(bot_id)

    def _customer_changed(self, event: str, data: Data) -> None:
        customer = data.get("id")
        operation = _OPERATIONS.get(event.rpartition(".")[2], "update")
        self.handle_customer_change(operation, customer if isinstance(customer, int) else None)

    def _bot_changed(self, event: str, data: Data) -> None:
        bot = data.get("id")
        if event == "bots.deleted":
            # An identity may belong to another row from now on.
            self._sync.invalidate_cache("identity:*")
        self._drop(bot if isinstance(bot, int) else None)

    def _drop(self, bot_id: int | None) -> None:
        if bot_id is None:
            self._served.clear()
        self._sync.invalidate_cache("bot:*" if bot_id is None else f"bot:{bot_id}")
        for forget in self._forget:
            forget(bot_id)

    # --- the net under lost notifications ---

    def sync_with_database(self) -> SyncResult:
        """Compare what everybody was told of last with the database, and tell the difference.

        So a change whose notification was lost, or that was made by raw SQL, is known everywhere afterwards. How bots
        are routed is said again for all: Redis may have lost it.
        """
        began = time.monotonic()
        publish_all(self._redis)
        found = {topic: self._sync_topic(topic) for topic in ("customers", "bots")}
        added, updated, removed, total = found["bots"]
        seconds = time.monotonic() - began
        log.info("bots_synced", added=added, updated=updated, removed=removed, total=total, seconds=round(seconds, 2))
        return SyncResult(added, updated, removed, total, seconds)

    def _sync_topic(self, topic: Topic) -> tuple[int, int, int, int]:
        found = compare(self._redis, topic)
        for action, rows in (("created", found.added), ("updated", found.updated), ("deleted", found.removed)):
            # Of very many everybody would read nearly everything again anyway.
            told: list[Data] = [{"id": row} for row in rows] if len(rows) <= _MOST_TOLD else [{}]
            for data in told:
                self._sync.publish(f"{topic}.{action}", data)
        remember(self._redis, topic, found)
        return len(found.added), len(found.updated), len(found.removed), len(found.marks)

    # --- looking at bots, and acting on them ---

    def get_bot_status(self, bot_id: int) -> BotStatus:
        """How a bot is now.

        Raises:
            InputError: there is no such bot.
        """
        query = select(Bot, BotHealth).outerjoin(BotHealth, BotHealth.bot_id == Bot.id).where(Bot.id == bot_id)
        with get_sessions("system")() as session:
            row = session.execute(query).first()
        if row is None:
            raise InputError("bot", f"there is no bot {bot_id}.", "`botyard bot list` shows them.")
        bot, health = row
        state, says, checked_at = (health.state, health.says, health.checked_at) if health else ("unknown", None, None)
        status = cast("Status", bot.status)
        return BotStatus(bot.id, status, bot.status_reason, bot.status_since, state, says, checked_at)

    def list_bots(self, customer_ids: Collection[int] | None = None) -> list[BotInfo]:
        """The bots of these customers, or all, in the order of their adding."""
        query = select(Bot).order_by(Bot.id)
        if customer_ids is not None:
            query = query.where(Bot.customer_id.in_(customer_ids))
        with get_sessions("system")() as session:
            bots = list(session.scalars(query))
        return [_info(bot) for bot in bots]

    def stats(self, customer_ids: Collection[int] | None = None) -> BotStats:
        """How many bots of these customers, or of all, are how; and whether this process hears of changes."""
        query = select(Bot.status, func.count()).group_by(Bot.status)
        if customer_ids is not None:
            query = query.where(Bot.customer_id.in_(customer_ids))
        with get_sessions("system")() as session:
            by_status = Counter({status: count for status, count in session.execute(query)})  # noqa: C416 - rows, not pairs
        active, error = by_status["active"], by_status["error"]
        total = by_status.total()
        return BotStats(total, active, total - active - error, error, self._sync.is_watching)

    async def register_bot(self, new: NewBot, request: AiohttpRequest, settings: Settings) -> Registered:
        """Check a bot's token with Telegram and register it; a worker then connects it.

        Args:
            new: what was given.
            request: calls the Bot API.
            settings: of this process.

        Raises:
            InputError: see `botyard.bots.connection.adding.register_bot`.
            Unreachable: Telegram cannot be asked, or not yet.
        """
        registered = await register_bot(new, request, settings)
        await asyncio.to_thread(errands.connect_bot, registered.id)
        return registered

    def remove_bot(self, bot_id: int) -> bool:
        """Serve a bot no longer, from now on; a worker then removes everything of it.

        Returns:
            Whether there was such a bot.
        """
        with get_sessions("system").begin() as session:
            bot = session.get(Bot, bot_id, with_for_update=True)
            if bot is None:
                return False
            statuses.begin_removal(bot)
            routes = registry.routings_of(session, [bot])
        tell(routes)
        errands.remove_bots([bot_id])
        return True

    def restart_bot(self, bot_id: int) -> None:
        """Let every process build the bot's application anew.

        Raises:
            InputError: there is no such bot.
        """
        statuses.restart(bot_id)

    def set_status(self, bot_id: int, status: Status, reason: str | None = None) -> bool:
        """Give a bot another status; whether that changed anything.

        Raises:
            InputError: there is no such bot.
        """
        return statuses.set_status(bot_id, status, reason)


def _info(bot: Bot) -> BotInfo:
    status = cast("Status", bot.status)
    return BotInfo(bot.id, bot.customer_id, bot.username, bot.name, bot.kind, status, bot.config_version)
