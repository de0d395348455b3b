"""The web process: the bare webhook path in front, everything else behind it in FastAPI."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable

import structlog
from fastapi import FastAPI
from redis.exceptions import RedisError

from botyard import __version__
from botyard.garbage import collect_seldom
from botyard.mailbox.inbound import Mailboxes
from botyard.mailbox.protocol import times_of
from botyard.mailbox.server import async_redis, check_server, redis_of
from botyard.mailbox.tickets import CeleryTickets, celery_producer
from botyard.manager import BotManager
from botyard.settings import get_settings
from botyard.sync import get_sync
from botyard.telemetry import metrics
from botyard.telemetry.logs import configure_logs
from botyard.web import welcome
from botyard.web.api.application import PREFIX as API_PREFIX
from botyard.web.api.application import build_api
from botyard.web.api.problems import explain_errors
from botyard.web.health import router
from botyard.web.proxies import behind_proxies
from botyard.web.webhook import PREFIX, Intakes, Receive, Scope, Send, Webhook
from db.roles import check_application_role

log = structlog.get_logger(__name__)

_FLUSH_SECONDS = 1.0
_CHECK_SECONDS = 6.0


class Front:
    """The ASGI application: webhook requests pass no framework."""

    def __init__(self) -> None:
        settings = get_settings()
        configure_logs(settings, "web")
        if settings.sentry_dsn is not None:
            from botyard.telemetry.reports import configure_reports  # noqa: PLC0415 - heavy, and rarely set

            configure_reports(settings, "web")
        # A limit on connections and on every wait: a Redis that hangs must turn into 503 before Telegram gives up.
        redis = self._redis = async_redis(settings.require("redis_url"), 2, connections=64)
        mailboxes = Mailboxes(redis, times_of(settings))
        self._intakes = Intakes()
        self._webhook = Webhook(mailboxes, CeleryTickets(celery_producer()), self._intakes, settings.mailbox_calm)
        self._api = FastAPI(
            title="Botyard",
            version=__version__,
            lifespan=self._lifespan,
            openapi_url=None,
            docs_url=None,
            redoc_url=None,
        )
        self._api.state.redis = redis
        self._sync = get_sync()
        # Threads use it, and not the event loop.
        self._commands = redis_of(settings)
        manager = BotManager(self._sync, self._commands)
        manager.watch(self._bot_changed)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._api.state.manager = manager
        # What no path fits, as one with a line's end in it, is answered here.
        explain_errors(self._api)
        self._api.include_router(router)
        self._api.include_router(welcome.router)
        self._api.mount(API_PREFIX, build_api(self._api.state))
        self._served = behind_proxies(self._api, settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "http" and scope["path"].startswith(PREFIX):
            await self._webhook(scope, receive, send)
        else:
            await self._served(scope, receive, send)

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        await _checked("redis", self._check_redis())
        await _checked("application_role", asyncio.to_thread(check_application_role))
        self._loop = asyncio.get_running_loop()
        self._sync.start()
        collect_seldom()
        flushing = asyncio.create_task(self._flush())
        try:
            yield
        finally:
            flushing.cancel()
            self._sync.stop()
            self._loop = None
            await self._flush_once()
            await self._redis.aclose()
            self._commands.close()

    def _bot_changed(self, bot_id: int | None) -> None:
        """In whatever thread hears of it; what is remembered of doors belongs to the event loop."""
        if self._loop is not None:
            # A loop that is just being closed has nothing left to forget.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._intakes.forget, bot_id)

    async def _check_redis(self) -> None:
        try:
            check_server(await self._api.state.redis.info())
        except RedisError as error:
            # It is away for now: every update is answered 503 until it is back.
            log.warning("redis_unreachable", error=type(error).__name__)

    async def _flush(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_SECONDS)
            await self._flush_once()

    async def _flush_once(self) -> None:
        taken = metrics.take_pending()
        pipe = self._api.state.redis.pipeline(transaction=False)
        for field, amount in taken.items():
            pipe.hincrbyfloat(metrics.HASH, field, amount)
        try:
            await pipe.execute()
        except RedisError as error:
            metrics.put_back(taken)
            log.warning("metrics_not_written", error=type(error).__name__)


async def _checked(what: str, check: Awaitable[None]) -> None:
    """Look once more before the first request, but only for a moment.

    A server that is silent is no reason to take nothing in: each request finds out for itself. And a deploy gives a new
    process up that is not ready within its time, and leaves the old one where it is.
    """
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            await check
    except TimeoutError:
        log.warning("start_not_checked", check=what)


def build_app() -> Front:
    """The ASGI application of this process, from its settings."""
    return Front()
