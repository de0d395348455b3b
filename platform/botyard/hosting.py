"""What an event loop of a worker keeps between slices: clients, and the applications of the bots it serves.

Applications belong to a loop, so each loop has its own. They are built per (bot, configuration version) and the ones
that were not used for longest go first. See docs/processing.md.
"""

import asyncio
import time
from collections import OrderedDict
from concurrent.futures import Executor
from typing import Final

import structlog
from redis.asyncio import Redis

from botyard.bots import registry
from botyard.bots.registry import ServedBot
from botyard.chats.moving import move
from botyard.direct_calls import DirectCalls
from botyard.errors import InputError
from botyard.limiter import Limiter
from botyard.mailbox.inbound import Mailboxes
from botyard.mailbox.protocol import times_of
from botyard.media.store import store_of
from botyard.settings import Settings
from botyard.telegram.address import base_url
from botyard.telegram.application import YardApplication, build, find_kind
from botyard.telegram.outbox_bot import OutboxBot
from botyard.telegram.request import AiohttpRequest
from botyard.telegram.test_mode import audience_of
from botyard.telegram.tokens import open_sealed

log = structlog.get_logger(__name__)

_BOT_SECONDS: Final = 5.0
_APPLICATIONS: Final = 500
_REFUSED_SECONDS: Final = 60.0


class Host:
    """The clients and applications of one event loop.

    Args:
        settings: of this process.
        database: threads in which the database is asked.
    """

    def __init__(self, settings: Settings, database: Executor) -> None:
        self.settings = settings
        self.database = database
        self.request = AiohttpRequest(settings.api_timeout_seconds)
        self._redis = Redis.from_url(
            settings.require("redis_url"), socket_timeout=5, socket_connect_timeout=5, health_check_interval=25
        )
        self.media = store_of(settings)
        self.mailboxes = Mailboxes(self._redis, times_of(settings))
        self.limiter = Limiter(self._redis, settings)
        self._bots: dict[tuple[str, int], tuple[float, ServedBot | None]] = {}
        self._applications: OrderedDict[tuple[int, int], YardApplication] = OrderedDict()
        self._refused: dict[tuple[int, int], tuple[float, InputError]] = {}

    @property
    def redis(self) -> "Redis":
        """The loop's Redis client."""
        return self._redis

    async def bot_by_telegram_id(self, telegram_id: int) -> ServedBot | None:
        """The bot with this identity, as the database had it in the last few seconds."""
        return await self._bot("telegram", telegram_id)

    async def bot(self, bot_id: int) -> ServedBot | None:
        """The bot of this row, as the database had it in the last few seconds."""
        return await self._bot("row", bot_id)

    async def _bot(self, by: str, number: int) -> ServedBot | None:
        now = time.monotonic()
        at, bot = self._bots.get((by, number), (0.0, None))
        if bot is None or bot.status == "inactive" or now - at > _BOT_SECONDS:
            find = registry.find_by_telegram_id if by == "telegram" else registry.find
            loop = asyncio.get_running_loop()
            bot = await loop.run_in_executor(self.database, find, number)
            self._bots[by, number] = (now, bot)
        return bot

    def forget_bot(self, bot: ServedBot) -> None:
        """Ask the database again the next time: the bot was changed from here."""
        self._bots.pop(("row", bot.id), None)
        self._bots.pop(("telegram", bot.telegram_id), None)

    async def application(self, bot: ServedBot) -> YardApplication:
        """The bot's application, built on first use.

        What cannot be built is said once in the log, and tried again after a minute, or when the bot was changed.

        Raises:
            InputError: its kind or its token cannot be used.
        """
        key = (bot.id, bot.config_version)
        application = self._applications.get(key)
        if application is None:
            application = await self._build_once(key, bot)
            self._applications[key] = application
            while len(self._applications) > _APPLICATIONS:
                self._applications.popitem(last=False)
        self._applications.move_to_end(key)
        return application

    async def _build_once(self, key: tuple[int, int], bot: ServedBot) -> YardApplication:
        at, before = self._refused.get(key, (0.0, None))
        if before is not None and time.monotonic() - at < _REFUSED_SECONDS:
            raise InputError(*before.args)
        try:
            application = await self._build(bot)
        except InputError as error:
            self._note_refusal(key, error, before)
            raise
        self._refused.pop(key, None)
        return application

    def _note_refusal(self, key: tuple[int, int], error: InputError, before: InputError | None) -> None:
        self._refused[key] = (time.monotonic(), InputError(*error.args))
        if before is None or error.args != before.args:
            log.error("application_not_built", bot=key[0], version=key[1], error=str(error))

    async def _build(self, bot: ServedBot) -> YardApplication:
        profile = {
            "id": bot.telegram_id,
            "is_bot": True,
            "first_name": bot.name,
            "username": bot.username,
            "can_join_groups": True,
        }
        token = open_sealed(bot.token_encrypted)
        audience = audience_of(self.settings)
        make = DirectCalls(self.limiter, bot.id).make
        outbox_bot = OutboxBot(token, base_url(bot.api_url), self.request, profile, audience, self.media, make)
        application = build(find_kind(bot.kind), outbox_bot)
        await application.initialize()
        log.info("application_built", bot=bot.id, kind=bot.kind, version=bot.config_version)
        return application

    async def follow_group(self, bot: ServedBot, old: str, new: str) -> None:
        """A group became a supergroup: its state, what waits to be sent, its limits and its updates follow.

        Doing it again changes nothing.
        """
        loop = asyncio.get_running_loop()
        news = await loop.run_in_executor(self.database, move, bot.id, bot.customer_id, old, new)
        await self.mailboxes.lead(bot.telegram_id, old, new)
        await self.limiter.follow(bot.id, old, new)
        if news:
            log.info("chat_moved", bot=bot.id, old=old, new=new)

    async def close(self) -> None:
        """Close the clients."""
        await self.request.close()
        await self._redis.aclose()
