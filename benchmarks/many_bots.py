"""``python -m benchmarks.many_bots``: ten thousand bots on the simulator.

How long the sync takes, how long a round of health checks and how many calls it makes, and after how many rounds (one
a minute) a revoked token and a stolen webhook are found. Time passes by putting the rows' times back.
Writes ``docs/figures/many_bots.json``.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from typing import Any

import aiohttp
from redis import Redis

from benchmarks.fairness import FIGURES
from botyard.bots.health.checking import checker
from botyard.manager import BotManager
from botyard.settings import get_settings
from botyard.sync import get_sync
from botyard.telegram.request import AiohttpRequest
from tests.factories import make_bot
from tests.services import Services, environment, start
from tests.unit.simulator.process import Process

BOTS = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
FIRST_ID = 4_800_000_000
SIDE_BY_SIDE = 50
TICK = "interval '60 s'"

_calls: Counter[str] = Counter()


def token(number: int) -> str:
    """The token of one of the bots."""
    return f"{FIRST_ID + number}:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


def count_calls() -> None:
    """Count what is called, by method."""
    post = AiohttpRequest.post

    async def counted(self: AiohttpRequest, url: str, *args: Any, **options: Any) -> Any:
        _calls[url.rpartition("/")[2]] += 1
        return await post(self, url, *args, **options)

    AiohttpRequest.post = counted  # type: ignore[method-assign, assignment, misc]


async def fill(url: str) -> None:
    """The bots, at the simulator and here."""
    numbers = iter(range(BOTS))
    async with aiohttp.ClientSession() as session:

        async def work() -> None:
            for number in numbers:
                said = {"token": token(number), "username": f"many{number}_bot"}
                async with session.post(f"{url}/sim/bots", json=said) as answer:
                    assert answer.status == 200, await answer.text()

        await asyncio.gather(*(work() for _ in range(SIDE_BY_SIDE)))
    for number in range(BOTS):
        make_bot(telegram_id=FIRST_ID + number, token=token(number), api_url=url)


def pass_time(services: Services) -> None:
    """A minute."""
    times = ("next_check", "checked_at", "contacted_at", "take_back_at")
    services.superuser(f"UPDATE bot_health SET {', '.join(f'{one} = {one} - {TICK}' for one in times)}")  # noqa: S608
    with Redis.from_url(services.redis_url) as redis:
        # What bounds calls per minute and hour has had its time, too.
        for key in redis.scan_iter("by:first:*"):
            redis.delete(key)


async def tick() -> tuple[float, int, int]:
    """One round: seconds, bots, calls."""
    before, began = _calls.total(), time.monotonic()
    async with checker(get_settings()) as checks:
        found = await checks.check_due()
    assert found is not None
    return time.monotonic() - began, found.checked.total(), _calls.total() - before


async def until_found(services: Services, query: str) -> int:
    """Rounds until a row answers this query."""
    for rounds in range(1, 100):
        pass_time(services)
        await tick()
        if services.superuser(query):
            return rounds
    raise AssertionError(query)


async def steal(url: str, number: int) -> None:
    """Another system sets the webhook of this bot."""
    async with aiohttp.ClientSession() as session:
        said = {"url": "https://other.example.org/hook"}
        async with session.post(f"{url}/bot{token(number)}/setWebhook", json=said) as answer:
            assert answer.status == 200, await answer.text()


async def revoke(url: str, number: int) -> None:
    """The owner of this bot gets it another token."""
    async with aiohttp.ClientSession() as session:
        said = {"token": token(number)[:-1] + "B", "username": f"many{number}_bot"}
        async with session.post(f"{url}/sim/bots", json=said) as answer:
            assert answer.status == 200, await answer.text()


async def measure(services: Services, url: str) -> dict[str, Any]:
    """All of it."""
    await fill(url)
    with Redis.from_url(services.redis_url) as redis:
        manager = BotManager(get_sync(), redis)
        first, second = manager.sync_with_database(), manager.sync_with_database()
    figures: dict[str, Any] = {
        "bots": BOTS,
        "sync_all_new_seconds": round(first.seconds, 2),
        "sync_nothing_new_seconds": round(second.seconds, 2),
    }
    rounds = [await tick()]
    unchecked = "SELECT 1 FROM bots b LEFT JOIN bot_health h ON h.bot_id = b.id WHERE checked_at IS NULL LIMIT 1"
    while services.superuser(unchecked):
        pass_time(services)
        rounds.append(await tick())
    figures["rounds_until_all_were_checked"] = len(rounds)
    figures["first_round"] = dict(zip(("seconds", "bots", "calls"), rounds[0], strict=True))
    pass_time(services)
    figures["later_round"] = dict(zip(("seconds", "bots", "calls"), await tick(), strict=True))
    number = BOTS // 2
    await revoke(url, number)
    await steal(url, number + 1)
    ids = (FIRST_ID + number, FIRST_ID + number + 1)
    revoked = f"SELECT 1 FROM bots WHERE telegram_id = {ids[0]} AND status = 'error'"  # noqa: S608
    figures["minutes_to_find_a_revoked_token"] = await until_found(services, revoked)
    stolen = f"SELECT 1 FROM bot_health h JOIN bots b ON b.id = h.bot_id WHERE telegram_id = {ids[1]} AND thefts > 0"  # noqa: S608
    found = 1 if services.superuser(stolen) else await until_found(services, stolen)
    figures["minutes_to_find_a_stolen_webhook"] = found
    figures["calls_by_method"] = dict(_calls)
    return figures


def main() -> int:
    """Measure, print, write."""
    count_calls()
    simulator = Process().wait_until_ready()
    try:
        with start() as services, environment({"API_URL": simulator.url, "PUBLIC_URL": "http://127.0.0.1:9"}):
            figures = asyncio.run(measure(services, simulator.url))
    finally:
        simulator.stop()
    print(json.dumps(figures, indent=2))
    (FIGURES / "many_bots.json").write_text(json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
