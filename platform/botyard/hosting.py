"""What an event loop of a worker keeps between slices: clients, and the applications of the bots it serves.

Applications belong to a loop, so each loop has its own. They are built per (bot, configuration version) and the ones
that were not used for longest go first. See docs/processing.md.
"""

import asyncio
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Final

import structlog
from redis.asyncio import Redis

from botyard.bots.configuration.giving import given_to
from botyard.bots.registry import ServedBot
from botyard.chats.moving import move
from botyard.direct_calls import DirectCalls
from botyard.errors import InputError
from botyard.jobs.stored import StoredJobs
from botyard.journal import Journal
from botyard.keyboards import Keyboards
from botyard.limiter import Limiter
from botyard.mailbox.inbound import Mailboxes
from botyard.mailbox.protocol import times_of
from botyard.mailbox.server import async_redis
from botyard.manager import BotManager
from botyard.media.store import store_of
from botyard.settings import Settings
from botyard.telegram.address import base_url
from botyard.telegram.application import YardApplication
from botyard.telegram.job_queue import DurableJobQueue
from botyard.telegram.kind_shapes import Given
from botyard.telegram.loading import Kind, build, find_kind
from botyard.telegram.objects import read_quickly
from botyard.telegram.outbox_bot import BotOptions, OutboxBot
from botyard.telegram.request import AiohttpRequest
from botyard.telegram.run import starting
from botyard.telegram.scripts import Script, SourceVersions
from botyard.telegram.test_mode import audience_of
from botyard.telegram.upkeep import AGAIN_SECONDS, upkeep
from botyard.vault.opening import open_sealed
from db.prepared import Statements

log = structlog.get_logger(__name__)

_APPLICATIONS: Final = 500
_REFUSED_SECONDS: Final = 60.0
_START_SECONDS: Final = 30.0
_sources: Final = SourceVersions()

_Version = tuple[int, int, str]
"""A bot's row, the version of its configuration, and that of its code."""


class Host:
    """The clients and applications of one event loop.

    Args:
        settings: of this process.
        statements: those of every update and send.
        database: threads in which the database is asked for anything else.
        manager: knows the bots of this process.
    """

    def __init__(self, settings: Settings, statements: Statements, database: Executor, manager: BotManager) -> None:
        read_quickly()
        self.settings = settings
        self.statements = statements
        self.database = database
        self._manager = manager
        self.request = AiohttpRequest(settings.api_timeout_seconds)
        self._redis = async_redis(settings.require("redis_url"), 5)
        self.media = store_of(settings)
        self.mailboxes = Mailboxes(self._redis, times_of(settings))
        self.limiter = Limiter(self._redis, settings)
        self._applications: OrderedDict[_Version, YardApplication] = OrderedDict()
        self._used: dict[_Version, float] = {}
        self._refused: dict[_Version, tuple[float, InputError]] = {}
        self._building: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._retiring: set[asyncio.Task[None]] = set()

    @property
    def redis(self) -> "Redis":
        """The loop's Redis client."""
        return self._redis

    async def bot_by_telegram_id(self, telegram_id: int) -> ServedBot | None:
        """The bot with this identity; read anew once something of it has changed."""
        manager = self._manager
        return manager.known_bot_by_telegram_id(telegram_id) or await self._read(
            manager.bot_by_telegram_id, telegram_id
        )

    async def bot(self, bot_id: int) -> ServedBot | None:
        """The bot of this row; read anew once something of it has changed."""
        return self._manager.known_bot(bot_id) or await self._read(self._manager.bot, bot_id)

    async def _read(self, find: Callable[[int], ServedBot | None], number: int) -> ServedBot | None:
        return await asyncio.get_running_loop().run_in_executor(self.database, find, number)

    async def application(self, bot: ServedBot) -> YardApplication:
        """The bot's application, built on first use, and anew when its configuration or its code was changed.

        What cannot be built is said once in the log, and tried again after a minute, or when the bot was changed. Code
        that was changed and cannot be used leaves the application of the code before it in use.

        Raises:
            InputError: its kind or its token cannot be used.
        """
        key = (bot.id, bot.config_version, _sources.of(bot.kind))
        application = self._applications.get(key)
        if application is not None:
            self._applications.move_to_end(key)
            self._used[key] = time.monotonic()
            return application
        self.retire_idle()
        async with self._building[bot.id]:
            return self._applications.get(key) or await self._build_or_keep(key, bot)

    async def _build_or_keep(self, key: _Version, bot: ServedBot) -> YardApplication:
        try:
            application = await self._build_once(key, bot)
        except InputError:
            before = next((known for known in reversed(self._of_bot(bot)) if known[1] == key[1]), None)
            if before is None:
                raise
            return self._applications[before]
        others = self._of_bot(bot)
        # Which files are its code is known only now.
        self._keep((key[0], key[1], _sources.of(bot.kind)), application)
        for known in others:
            self._retire(known)
        while len(self._applications) > _APPLICATIONS:
            self._retire(next(iter(self._applications)))
        return application

    def _of_bot(self, bot: ServedBot) -> list[_Version]:
        """What there is of it now: while something of it was being built, others may have gone."""
        return [known for known in self._applications if known[0] == bot.id]

    def _keep(self, key: _Version, application: YardApplication) -> None:
        self._applications[key] = application
        self._used[key] = time.monotonic()

    def retire_idle(self) -> None:
        """Let go of applications that were not used for long: a bot that is quiet costs its place in the cache."""
        oldest = time.monotonic() - self.settings.bot_idle_seconds
        while self._applications and self._used[next(iter(self._applications))] < oldest:
            self._retire(next(iter(self._applications)))

    def _retire(self, key: _Version) -> None:
        """Let go of an application; updates that it is handling end first."""
        self._used.pop(key, None)
        if not self._building[key[0]].locked():
            del self._building[key[0]]
        task = asyncio.create_task(self._shut_down(self._applications.pop(key)))
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    async def _shut_down(self, application: YardApplication, after: float | None = None) -> None:
        longest = self.settings.handler_timeout_seconds + 2 * self.settings.slice_seconds
        await asyncio.sleep(longest if after is None else after)
        try:
            async with asyncio.timeout(_START_SECONDS):
                await application.close()
        except Exception as error:  # noqa: BLE001 - the bot's own code, of which nothing is expected any more
            log.warning("application_not_closed", bot=application.bot.id, error=type(error).__name__)
        finally:
            application.retire()

    async def _build_once(self, key: _Version, bot: ServedBot) -> YardApplication:
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

    def _note_refusal(self, key: _Version, error: InputError, before: InputError | None) -> None:
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
        token = open_sealed(bot.token)
        in_upkeep = bot.status == "maintenance"
        loop = asyncio.get_running_loop()
        given = Given() if in_upkeep else await loop.run_in_executor(self.database, given_to, bot.id)
        audience = audience_of(self.settings)
        calls = DirectCalls(self.limiter, bot, self.database)
        shelf = Keyboards(bot.id, bot.customer_id, self.database)

        def make_bot(options: BotOptions) -> OutboxBot:
            url = base_url(bot.api_url)
            return OutboxBot(token, url, self.request, profile, audience, self.media, calls.make, options, shelf)

        # In a thread: importing takes its time, and a script may do anything.
        application = await asyncio.to_thread(lambda: build(self._kind_of(bot), make_bot, token, given))
        if in_upkeep and isinstance(application.job_queue, DurableJobQueue):
            application.job_queue.declare_nothing()
        await self._open(application, bot, calls, f"start {bot.config_version} {_sources.of(bot.kind)}")
        log.info("application_built", bot=bot.id, kind=bot.kind, version=bot.config_version)
        return application

    def _kind_of(self, bot: ServedBot) -> Kind | Script:
        """What the bot does: what its kind says, or while it is in maintenance only that it is."""
        if bot.status != "maintenance":
            return find_kind(bot.kind)

        async def first(chat_id: int) -> bool:
            return bool(await self._redis.set(f"by:upkeep:{bot.id}:{chat_id}", 1, nx=True, ex=AGAIN_SECONDS))

        return upkeep(first)

    async def _open(self, application: YardApplication, bot: ServedBot, calls: DirectCalls, scope: str) -> None:
        """Begin it; what it calls at its beginning is called by the first process that serves this version of it."""
        jobs = StoredJobs(bot.id, bot.customer_id)
        if application.post_init is None:
            return await application.open(_START_SECONDS, jobs, bot.config_version)
        # Longer than what it protects, so that it ends by itself only if its process died.
        longest = 2 * _START_SECONDS
        lock = self._redis.lock(
            f"by:start:{bot.id}", timeout=longest, blocking_timeout=longest, raise_on_release_error=False
        )
        async with lock:
            journal = Journal(scope, known=await calls.known(scope))
            token = starting.set(journal)
            try:
                await application.open(_START_SECONDS, jobs, bot.config_version)
            finally:
                starting.reset(token)
                # Tasks that it has begun live on in this context, and what they call is called each time.
                journal.closed = True

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
        """Close the applications and the clients."""
        for task in self._retiring:
            task.cancel()
        opened = {id(application): application for application in self._applications.values()}
        await asyncio.gather(*(self._shut_down(one, 0.0) for one in opened.values()))
        await self.request.close()
        await self._redis.aclose()
