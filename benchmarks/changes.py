"""``python -m benchmarks.changes``: how soon a change is heard, what a kept value costs, what a quiet bot costs.

Writes ``docs/figures/changes.json``.
"""

import json
import os
import statistics
import subprocess
import sys
import time
import timeit
from pathlib import Path
from typing import Any

from redis import Redis

from benchmarks.fairness import FIGURES
from benchmarks.weight import QUICK
from botyard.bots.registry import ServedBot
from botyard.manager import BotManager
from botyard.sync import get_sync
from db.engine import get_sessions
from db.models import Bot
from tests.factories import make_bot
from tests.services import Services, start

CHANGES = 1000
PAUSE = 0.005
COUNTS = (100, 1000, 10_000)
FIRST_ID = 4_600_000_000
MEDIAN_MS, LAST_MS, HIT_US, BOT_KIB = 10.0, 100.0, 2.0, 4.0

_LISTENS = """
import sys, time
from botyard.sync import get_sync
heard = []
sync = get_sync()
sync.on("bots.updated", lambda _, data: heard.append((data["version"], time.clock_gettime(time.CLOCK_MONOTONIC))))
sync.start()
while not sync.is_watching:
    time.sleep(0.01)
print("ready", flush=True)
sys.stdin.readline()
for version, at in heard:
    print(version, at)
"""


def latencies() -> list[float]:
    """Milliseconds from a commit in this process to the handler in another, change after change."""
    bot = make_bot(telegram_id=FIRST_ID)
    command = [sys.executable, "-c", _LISTENS]
    committed: dict[int, float] = {}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert "ready\n" in iter(other.stdout.readline, "")
        for number in range(CHANGES):
            with get_sessions("system").begin() as session:
                row = session.get(Bot, bot.id)
                assert row is not None
                row.name, row.config_version = f"name {number}", row.config_version + 1
                session.flush()
                version = row.config_version
                committed[version] = time.clock_gettime(time.CLOCK_MONOTONIC)
            time.sleep(PAUSE)
        time.sleep(0.5)
        said, _ = other.communicate("\n")
    heard = {int(version): float(at) for version, at in (line.split() for line in said.splitlines())}
    assert heard.keys() == committed.keys(), "a change was not heard"
    return sorted((heard[version] - at) * 1000 for version, at in committed.items())


def hit(manager: BotManager, bot: ServedBot) -> float:
    """Microseconds to get a bot that is at hand."""
    manager.bot(bot.id)
    rounds = 200_000
    return min(timeit.repeat(lambda: manager.known_bot(bot.id), number=rounds, repeat=5)) / rounds * 1e6


def memory(services: Services) -> dict[int, float]:
    """KiB that a worker keeps of each bot that it has served and that is quiet now, by how many there are."""
    services.empty()
    for number in range(COUNTS[-1]):
        make_bot(telegram_id=FIRST_ID + number)
    command = [sys.executable, "-m", "benchmarks.weight", str(FIRST_ID), *map(str, COUNTS)]
    ran = subprocess.run(command, env={**os.environ, **QUICK}, stdout=subprocess.PIPE, text=True, check=True)
    return {int(count): each for count, each in json.loads(ran.stdout.splitlines()[-1]).items()}


def measure(services: Services) -> dict[str, Any]:
    """All of it, in this order: the memory of the last part is that of a process of its own."""
    waits = latencies()
    figures: dict[str, Any] = {
        "changes": CHANGES,
        "heard_median_ms": round(statistics.median(waits), 2),
        "heard_p99_ms": round(waits[int(len(waits) * 0.99)], 2),
        "heard_max_ms": round(waits[-1], 2),
    }
    with Redis.from_url(services.redis_url) as redis:
        figures["cache_hit_us"] = round(hit(BotManager(get_sync(), redis), make_bot(telegram_id=FIRST_ID + 1)), 2)
    figures["kib_per_idle_bot"] = memory(services)
    return figures


def main() -> int:
    """Measure, print, write; 1 when a bound does not hold."""
    with start() as services:
        figures = measure(services)
    print(json.dumps(figures, indent=2))
    (Path(FIGURES) / "changes.json").write_text(json.dumps(figures, indent=2) + "\n")
    holds = (
        figures["heard_median_ms"] < MEDIAN_MS
        and figures["heard_p99_ms"] < LAST_MS
        and figures["cache_hit_us"] < HIT_US
        and figures["kib_per_idle_bot"][COUNTS[-1]] <= BOT_KIB
    )
    return int(not holds)


if __name__ == "__main__":
    sys.exit(main())
