"""``python -m benchmarks.weight FIRST COUNT …``: KiB that a worker keeps of each bot that was served and is quiet.

The bots have Telegram's ids from FIRST on. Prints a JSON object: the figure by how many there are. Of the environment
the times are to be short: ``QUICK``.
"""

import asyncio
import gc
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from redis import Redis

from benchmarks.machine import private_kibibytes
from botyard.hosting import Host
from botyard.manager import BotManager
from botyard.settings import get_settings
from botyard.sync import get_sync
from db.prepared import Statements

QUICK: Final = {"BOT_IDLE_SECONDS": "0.01", "HANDLER_TIMEOUT_SECONDS": "0.05", "SLICE_SECONDS": "0.05"}
_FIRST: Final = 50
"""They bring what all bots share."""


def _kib() -> int:
    gc.collect()
    return private_kibibytes(os.getpid())


async def _serve(host: Host, first: int, last: int) -> None:
    for number in range(first, last):
        bot = await host.bot_by_telegram_id(number)
        assert bot is not None
        await host.application(bot)
    while host._applications or host._retiring:  # noqa: SLF001 - nobody else asks
        host.retire_idle()
        await asyncio.sleep(0.05)


async def weigh(first: int, counts: list[int]) -> dict[int, float]:
    """Of each, by how many there are."""
    settings = get_settings()
    found = {}
    with ThreadPoolExecutor(2) as database, Redis.from_url(settings.require("redis_url")) as redis:
        manager = BotManager(get_sync(), redis)
        get_sync().start()
        statements = Statements(asyncio.get_running_loop(), 2)
        host = Host(settings, statements, database, manager)
        await _serve(host, first, first + _FIRST)
        begun, served = _kib(), _FIRST
        for count in counts:
            await _serve(host, first + served, first + count)
            served = count
            found[count] = round((_kib() - begun) / (count - _FIRST), 2)
        await host.close()
        get_sync().stop()
    return found


if __name__ == "__main__":
    print(json.dumps(asyncio.run(weigh(int(sys.argv[1]), [int(word) for word in sys.argv[2:]]))))
