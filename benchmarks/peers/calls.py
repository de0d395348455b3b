"""Single things, many at once; prints a JSON list of [per second, p50 ms, p99 ms, CPU seconds for a thousand].

``calls.py NAME SECONDS URL``: ptb-sends and aiogram-sends (50 at once, URL: the Bot API's), limits-decisions (32 at
once, URL: Redis'), celery-delay (one after the other, URL: Redis'). ``calls.py ptb-memory COUNT URL``: KiB for each.
"""

import asyncio
import gc
import itertools
import json
import sys
import time
from pathlib import Path

from answering import TOKEN

CHATS = 100_000
FIRST_CHAT = 5_000_000_000
TEXT = "Your order is on its way, it will be there in about thirty minutes."


def figures(latencies, seconds, cpu):
    """What is printed."""
    ordered = sorted(latencies)
    return [
        len(ordered) / seconds,
        ordered[len(ordered) // 2] * 1e3,
        ordered[int(len(ordered) * 0.99)] * 1e3,
        cpu / len(ordered) * 1e3,
    ]


async def at_once(call, how_many, seconds):
    """So many loops that call again and again."""
    await asyncio.gather(*(call() for _ in range(how_many)))
    latencies, clock = [], time.perf_counter
    began, used = clock(), time.process_time()

    async def loop():
        while clock() - began < seconds:
            start = clock()
            await call()
            latencies.append(clock() - start)

    await asyncio.gather(*(loop() for _ in range(how_many)))
    return figures(latencies, clock() - began, time.process_time() - used)


async def ptb_sends(seconds, url):
    """ExtBot with its rate limiter, whose limits never make a send wait."""
    from telegram.ext import AIORateLimiter, ExtBot
    from telegram.request import HTTPXRequest

    limiter = AIORateLimiter(overall_max_rate=1e6, overall_time_period=1, group_max_rate=1e6, group_time_period=1)
    request = HTTPXRequest(connection_pool_size=64)
    chats = itertools.count()
    async with ExtBot(TOKEN, f"{url}/bot", request=request, rate_limiter=limiter) as bot:
        return await at_once(lambda: bot.send_message(FIRST_CHAT + next(chats) % CHATS, TEXT), 50, seconds)


async def aiogram_sends(seconds, url):
    """Bot without a limiter: it has none."""
    from aiogram import Bot
    from aiogram.client.session.aiohttp import AiohttpSession
    from aiogram.client.telegram import TelegramAPIServer

    chats = itertools.count()
    session = AiohttpSession(api=TelegramAPIServer.from_base(url))
    async with Bot(TOKEN, session=session) as bot:
        return await at_once(lambda: bot.send_message(FIRST_CHAT + next(chats) % CHATS, TEXT), 50, seconds)


async def limits_decisions(seconds, url):
    """One scope: a fixed window for each of a thousand chats."""
    from limits import RateLimitItemPerSecond
    from limits.aio.storage import RedisStorage
    from limits.aio.strategies import FixedWindowRateLimiter

    limiter = FixedWindowRateLimiter(RedisStorage(f"async+{url}", implementation="redispy"))
    item, chats = RateLimitItemPerSecond(1_000_000), itertools.count()

    async def decide():
        assert await limiter.hit(item, f"chat:{next(chats) % 1000}")

    return await at_once(decide, 32, seconds)


def celery_delay(seconds, url):
    """``delay()`` with an update of 600 bytes."""
    from celery import Celery

    app = Celery("delay", broker=url)
    app.conf.update(task_default_queue="delay", task_ignore_result=True)

    @app.task(name="nothing")
    def nothing(update):
        """Nobody runs it."""

    update = {"update_id": 1, "message": {"text": "x" * 500, "chat": {"id": 5, "type": "private"}}}
    for _ in range(100):
        nothing.delay(update)
    latencies, clock = [], time.perf_counter
    began, used = clock(), time.process_time()
    while clock() - began < seconds:
        start = clock()
        nothing.delay(update)
        latencies.append(clock() - start)
    return figures(latencies, clock() - began, time.process_time() - used)


async def ptb_memory(count, url):
    """KiB that an initialised Application adds."""
    from telegram.ext import Application, MessageHandler, filters

    async def build(number):
        token = f"{4_900_000_001 + number}{TOKEN[10:]}"
        application = Application.builder().token(token).base_url(f"{url}/bot").build()
        application.add_handler(MessageHandler(filters.ALL, build))
        await application.initialize()
        return application

    kept = [await build(0)]
    gc.collect()
    before = resident()
    kept += [await build(number + 1) for number in range(int(count))]
    gc.collect()
    return [(resident() - before) / (len(kept) - 1)]


def resident():
    """KiB of this process in memory."""
    with Path("/proc/self/smaps_rollup").open() as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("Rss:"))


CASES = {
    "ptb-sends": ptb_sends,
    "aiogram-sends": aiogram_sends,
    "limits-decisions": limits_decisions,
    "celery-delay": celery_delay,
    "ptb-memory": ptb_memory,
}

if __name__ == "__main__":
    done = CASES[sys.argv[1]](float(sys.argv[2]), sys.argv[3])
    print(json.dumps(asyncio.run(done) if asyncio.iscoroutine(done) else done))
