"""A customer's server, and what sends to it."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from standardwebhooks.webhooks import Webhook

from botyard.endpoints.managing import NewEndpoint, add_endpoint
from botyard.endpoints.sending import Sender
from botyard.events import BotStopped, DomainEvent, record
from botyard.outbound_http import Allowed, OutboundHttp
from db.engine import get_sessions
from db.models import Bot
from tests.services import Services


@dataclass
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def verified(self, secret: str) -> Any:
        """What it says, if that secret signed it; raises otherwise."""
        return Webhook(secret).verify(self.body.decode(), self.headers)


@dataclass
class Receiver:
    """Answers as it is told, and keeps what it got."""

    port: int = 0
    got: list[Received] = field(default_factory=list)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    text: str = "thanks"
    held: asyncio.Event | None = None
    """While it is there, paths that begin with /slow wait for it."""
    at_once: int = 0
    most_at_once: int = 0

    def url(self, path: str = "/hook") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    async def handle(self, request: web.Request) -> web.Response:
        self.got.append(
            Received(request.path, {k.lower(): v for k, v in request.headers.items()}, await request.read())
        )
        if self.held is not None and request.path.startswith("/slow"):
            self.at_once += 1
            self.most_at_once = max(self.at_once, self.most_at_once)
            await self.held.wait()
            self.at_once -= 1
        return web.Response(status=self.status, headers=self.headers, text=self.text)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver on the loopback."""
    made = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.handle)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.port = runner.addresses[0][1]
    try:
        yield made
    finally:
        if made.held is not None:
            made.held.set()
        await runner.cleanup()


@asynccontextmanager
async def sending() -> AsyncIterator[Sender]:
    """A sender as a worker has it."""
    threads = ThreadPoolExecutor(2)
    made = Sender(OutboundHttp(Allowed.of("127.0.0.1")), threads)
    try:
        yield made
    finally:
        await made.land()
        await made.close()
        threads.shutdown()


async def send_all(sender: Sender) -> None:
    """Until nothing is due any more."""
    await sender.run()
    await sender.land()


def endpoint(receiver: Receiver, path: str = "/hook", customer_id: int = 1, **chosen: Any) -> tuple[int, str]:
    """An endpoint there: its number and its secret."""
    made = add_endpoint(customer_id, NewEndpoint(receiver.url(path), **chosen))
    return made.endpoint.id, made.secret


def happen(bot_id: int, event: DomainEvent | None = None, count: int = 1) -> None:
    """Events of a bot, committed."""
    with get_sessions("system").begin() as session:
        bot = session.get_one(Bot, bot_id)
        for _ in range(count):
            record(session, bot, event or BotStopped(status="paused", reason="lunch"))


def messages(services: Services) -> list[tuple[Any, ...]]:
    """State and attempts of every message."""
    return services.superuser("SELECT state, attempts FROM endpoint_messages ORDER BY id")


def make_due(services: Services) -> None:
    """As if the time until the next attempts had passed."""
    services.superuser("UPDATE endpoint_messages SET due = now() WHERE state = 'waiting'")
