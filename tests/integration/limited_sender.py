"""One of several processes that send for one bot at once: ``python -m tests.integration.limited_sender``.

Standard input: a JSON object with ``bot``, ``url`` and ``sends``, a list of [method, chat, lane, paid].
"""

import asyncio
import json
import sys
import time
from typing import Any

import aiohttp
from redis.asyncio import Redis

from botyard.limiter import Limiter, Permission
from botyard.settings import get_settings
from botyard.telegram.run import Lane

_SIDE_BY_SIDE = 64
_AT_ONCE = 8


class Sender:
    """Sends what it was given, each when the limiter lets it."""

    def __init__(self, order: dict[str, Any], limiter: Limiter, session: aiohttp.ClientSession) -> None:
        self.bot, self.url = order["bot"], order["url"]
        self.left: list[list[Any]] = order["sends"]
        self.limiter, self.session = limiter, session

    async def work(self) -> None:
        """Take several sends at a time, as a slice does, until none are left."""
        while self.left:
            taken = [self.left.pop() for _ in range(min(_AT_ONCE, len(self.left)))]
            wanted = [self._permission(*one) for one in taken]
            permits = await self.limiter.reserve(self.bot, wanted)
            waits = []
            for one, permit in zip(taken, permits, strict=True):
                if permit.granted:
                    await self.limiter.come(self.bot, permit)
                    await self._call(*one)
                else:
                    waits.append(permit.wait)
                    self.left.insert(0, one)
            if len(waits) == len(taken):
                await asyncio.sleep(min(waits))

    def _permission(self, method: str, chat: str, lane: int, paid: bool) -> Permission:
        return self.limiter.permission(method, chat, Lane(lane), paid=paid)

    async def _call(self, method: str, chat: str, lane: int, paid: bool) -> None:
        text = f"{lane}{'p' if paid else ''}"
        params: dict[str, Any] = {"chat_id": int(chat), "text": text}
        if method == "forwardMessage":
            params = {"chat_id": int(chat), "from_chat_id": int(chat), "message_id": 1}
        params["sent"] = time.monotonic()
        async with self.session.post(f"{self.url}/{method}", json=params) as answer:
            await answer.read()


async def main() -> None:
    """Read the order, and carry it out."""
    order = json.load(sys.stdin)
    settings = get_settings()
    async with (
        Redis.from_url(settings.require("redis_url")) as redis,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
    ):
        sender = Sender(order, Limiter(redis, settings, window=order["window"]), session)
        await asyncio.gather(*(sender.work() for _ in range(_SIDE_BY_SIDE)))


if __name__ == "__main__":
    asyncio.run(main())
