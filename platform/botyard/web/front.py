"""The web process: the bare webhook path in front, everything else behind it in FastAPI."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import structlog
from fastapi import FastAPI
from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError

from botyard import __version__
from botyard.mailbox.inbound import Mailboxes
from botyard.mailbox.protocol import times_of
from botyard.mailbox.server import check_server
from botyard.mailbox.tickets import CeleryTickets, celery_producer
from botyard.settings import get_settings
from botyard.telemetry import metrics
from botyard.telemetry.logs import configure_logs
from botyard.web.health import router
from botyard.web.webhook import PREFIX, Intakes, Receive, Scope, Send, Webhook

log = structlog.get_logger(__name__)

_FLUSH_SECONDS = 1.0


class Front:
    """The ASGI application: webhook requests pass no framework."""

    def __init__(self) -> None:
        settings = get_settings()
        configure_logs(settings, "web")
        if settings.sentry_dsn is not None:
            from botyard.telemetry.reports import configure_reports  # noqa: PLC0415 - heavy, and rarely set

            configure_reports(settings, "web")
        # A limit on connections and on every wait: a Redis that hangs must turn into 503 before Telegram gives up.
        self._pool = BlockingConnectionPool.from_url(
            settings.require("redis_url"), max_connections=64, timeout=2, socket_timeout=2, socket_connect_timeout=2
        )
        redis = Redis(connection_pool=self._pool)
        mailboxes = Mailboxes(redis, times_of(settings))
        self._webhook = Webhook(mailboxes, CeleryTickets(celery_producer()), Intakes(), settings.mailbox_calm)
        self._api = FastAPI(
            title="Botyard", version=__version__, lifespan=self._lifespan, docs_url=None, redoc_url=None
        )
        self._api.state.redis = redis
        self._api.include_router(router)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "http" and scope["path"].startswith(PREFIX):
            await self._webhook(scope, receive, send)
        else:
            await self._api(scope, receive, send)

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        await self._check_redis()
        flushing = asyncio.create_task(self._flush())
        try:
            yield
        finally:
            flushing.cancel()
            await self._flush_once()
            await self._pool.aclose()

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


def build_app() -> Front:
    """The ASGI application of this process, from its settings."""
    return Front()
