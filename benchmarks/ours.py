"""Single things of ours, many at once, beside `benchmarks.peers.calls`: prints the same list of figures.

``python -m benchmarks.ours NAME SECONDS``: limiter (a bot's decisions over bot, chat and group, 32 waiting), enqueue
(updates taken in, with the tickets that brings, 32 waiting).
"""

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Final

import uvloop
from redis.asyncio import Redis

from benchmarks.chats import CHATS, FIRST_CHAT, FIRST_UPDATE, percentile, update
from benchmarks.subject import FIRST_BOT
from botyard.limiter import Limiter
from botyard.mailbox.inbound import Mailboxes
from botyard.mailbox.protocol import mailbox_entry, times_of
from botyard.settings import get_settings
from botyard.telegram.run import Lane

_AT_ONCE: Final = 32


async def _at_once(call: Callable[[], Awaitable[object]], seconds: float) -> list[float]:
    await asyncio.gather(*(call() for _ in range(_AT_ONCE)))
    latencies: list[float] = []
    began, used = time.perf_counter(), time.process_time()

    async def loop() -> None:
        while time.perf_counter() - began < seconds:
            start = time.perf_counter()
            await call()
            latencies.append(time.perf_counter() - start)

    await asyncio.gather(*(loop() for _ in range(_AT_ONCE)))
    took, used = time.perf_counter() - began, time.process_time() - used
    times = [percentile(latencies, part) * 1e3 for part in (0.5, 0.99)]
    return [len(latencies) / took, *times, used / len(latencies) * 1e3]


async def limiter(seconds: float) -> list[float]:
    """Decisions over bot, chat and group: bulk messages to groups, at rates that never refuse."""
    high = {"limit_bulk_per_second": 1e6, "limit_group_per_minute": 1_000_000}
    settings = get_settings().model_copy(update=high)
    async with Redis.from_url(settings.require("redis_url")) as redis:
        asked, chats = Limiter(redis, settings), itertools.count()

        async def decide() -> None:
            wanted = asked.permission("sendMessage", f"-{1 + next(chats) % 1000}", Lane.BULK)
            (permit,) = await asked.reserve(1, [wanted])
            assert permit.granted

        return await _at_once(decide, seconds)


async def enqueue(seconds: float) -> list[float]:
    """Updates taken in, with whatever ticket that brings."""
    settings = get_settings()
    # Of a time of their own: the process is a new one in every round, and what was known is no measure.
    ids, body = itertools.count(time.time_ns() // 1000), update(FIRST_UPDATE, FIRST_CHAT)
    async with Redis.from_url(settings.require("redis_url")) as redis:
        boxes = Mailboxes(redis, times_of(settings))

        async def take_in() -> None:
            number = next(ids)
            accepted = await boxes.accept(FIRST_BOT, str(FIRST_CHAT + number % CHATS), number, mailbox_entry(body))
            assert accepted.verdict == "accepted"

        return await _at_once(take_in, seconds)


def main(name: str, seconds: float) -> list[float]:
    """Measure one."""
    return uvloop.run({"limiter": limiter, "enqueue": enqueue}[name](seconds))


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], float(sys.argv[2]))))
