"""The door of the web process on a port of its own, in the test's loop, with the real mailboxes behind."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import redis.asyncio
import uvicorn

from botyard.embedded import free_port
from botyard.mailbox.inbound import Mailboxes
from botyard.mailbox.protocol import times_of
from botyard.settings import Settings
from botyard.web.webhook import Intakes, Webhook
from tests.factories import FakeTickets, until


class Doorway:
    """A webhook, and how often it gave which answer."""

    def __init__(self, client: "redis.asyncio.Redis", settings: Settings, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.intakes = Intakes()
        self.answers: Counter[int] = Counter()
        self._client = client
        self._webhook = Webhook(Mailboxes(client, times_of(settings)), FakeTickets(), self.intakes, 10_000)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def counted(event: Any) -> None:
            if event["type"] == "http.response.start":
                self.answers[event["status"]] += 1
            await send(event)

        await self._webhook(scope, receive, counted)

    async def taken(self, telegram_id: int) -> list[int]:
        """The ids of the updates in the mailboxes of this Telegram bot, in their order."""
        entries: list[Any] = []
        for key in await self._client.keys(f"by:box:{telegram_id}:*"):
            entries += await self._client.lrange(key, 0, -1)
        return [int(entry.split(b" ", 1)[0]) for entry in entries]


@asynccontextmanager
async def doorway(settings: Settings) -> AsyncIterator[Doorway]:
    port = free_port()
    async with redis.asyncio.Redis.from_url(settings.require("redis_url")) as client:
        door = Doorway(client, settings, port)
        config = uvicorn.Config(door, port=port, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        # `serve` would take the signals of the test run.
        serving = asyncio.create_task(server._serve())
        await until(lambda: server.started)
        try:
            yield door
        finally:
            server.should_exit = True
            await serving
