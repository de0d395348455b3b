"""``python -m benchmarks.occurrences``: 100,000 people are to be told something at one moment, while others chat.

The bot that tells them is the one that others chat with. Writes ``docs/figures/occurrences.json``.
"""

import json
import sys
import tempfile
import threading
import time
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import psycopg2

from benchmarks.chatting import PEOPLE, Waits, chat, token
from benchmarks.fairness import BOUND, FIGURES
from tests.commands import botyard
from tests.e2e.yard import Yard, wait_until

AUDIENCE = 100_000
CHATTING = 20
SECONDS = 60.0
BOT = 4_750_000_000
_SENT_MEANWHILE = 3000
"""So many of them the simulator knows: more are not sent while it is measured, at 30 a second."""
_AT_ONCE = 500

_KNOWN = """
INSERT INTO bot_users (bot_id, customer_id, user_id, first_name, language_code, first_seen, last_seen)
SELECT b.id, b.customer_id, n, 'P' || n, 'en', now(), now()
  FROM bots b, generate_series(%(first)s, %(last)s) AS n WHERE b.telegram_id = %(bot)s
"""
_PLANNED = "SELECT count(*) FROM occurrences"
_WAITING = "SELECT count(*) FROM outbox WHERE lane = 2"


def _asked(yard: Yard, statement: str, **values: Any) -> int:
    owner = yard.environment["DATABASE_OWNER_URL"]
    with closing(psycopg2.connect(owner)) as database, database, database.cursor() as cursor:
        cursor.execute(statement, values)
        return int(cursor.fetchone()[0]) if cursor.description else cursor.rowcount  # type: ignore[index]


def _audience(yard: Yard) -> None:
    """The first of them write to the bot; of the others only their rows are there."""
    people = [next(PEOPLE) for _ in range(_SENT_MEANWHILE)]
    yard.simulator.post("/sim/settings", flood=False)
    for start in range(0, len(people), _AT_ONCE):
        some = [{"person_id": person, "text": "hi"} for person in people[start : start + _AT_ONCE]]
        yard.simulator.post("/sim/batch", bot_id=BOT, messages=some)
    wait_until(lambda: _asked(yard, "SELECT count(*) FROM bot_users") >= len(people), 120, "they are known")
    wait_until(lambda: yard.metric("outbox_rows") == 0, 120, "they are answered")
    _asked(yard, _KNOWN, first=people[-1] + 10_000, last=people[-1] + 10_000 + AUDIENCE - len(people) - 1, bot=BOT)
    yard.simulator.post("/sim/settings", flood=True)


class Watch(threading.Thread):
    """Looks when everything is in the outbox, and how much memory the worker has meanwhile."""

    def __init__(self, yard: Yard, moment: float) -> None:
        super().__init__(daemon=True)
        self._yard, self._moment = yard, moment
        self.before = self.most = _memory(yard)
        self.seconds = 0.0
        """From the moment until everything was there."""

    def run(self) -> None:
        """Until it is there."""
        while not self.seconds:
            self.most = max(self.most, _memory(self._yard))
            if _asked(self._yard, _PLANNED) >= AUDIENCE:
                self.seconds = time.time() - self._moment
            time.sleep(0.1)  # the pace of looking


def _memory(yard: Yard) -> int:
    worker = psutil.Process(yard.pid("worker_maintenance"))
    return max(one.memory_info().rss for one in (worker, *worker.children(recursive=True)))


def measure(folder: Path) -> tuple[list[Waits], dict[str, float]]:
    """The chatting people alone, and while the moment comes; and how long it took."""
    with Yard(folder) as yard:
        yard.add_bot(token(BOT), "tests.e2e.bots:counter", "updates", "news_bot")
        _audience(yard)
        pairs = [(BOT, next(PEOPLE)) for _ in range(CHATTING)]
        chat(yard, pairs, "warm-up", 10, every=2)
        found = [chat(yard, pairs, "before", SECONDS, every=2)]
        moment = datetime.now(UTC) + timedelta(seconds=8)
        words = ("schedule", "add", "news_bot", "news", "News, {{first_name|you}}!", "--at", moment.isoformat())
        botyard(yard.environment, *words).check_returncode()
        watch = Watch(yard, moment.timestamp())
        watch.start()
        found.append(chat(yard, pairs, "while the moment comes", SECONDS, every=2))
        watch.join(60)
        told = {
            "audience": AUDIENCE, "in_the_outbox": _asked(yard, _WAITING), "seconds": round(watch.seconds, 1),
            "memory_grew_mb": round((watch.most - watch.before) / 1e6, 1), "refused_429": _refused(yard),
        }  # fmt: skip
        return found, told


def _refused(yard: Yard) -> int:
    return sum(one["kind"] == "call" and one.get("error_code") == 429 for one in yard.simulator.history())


def main() -> int:
    """Measure, print, write; 1 when a promise does not hold."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        found, told = measure(Path(folder) / "yard")
    print("\n".join(map(str, found)))
    print(", ".join(f"{name} {value:g}" for name, value in told.items()))
    FIGURES.mkdir(parents=True, exist_ok=True)
    rows = [{key: value for key, value in asdict(one).items() if key != "waits"} for one in found]
    (FIGURES / "occurrences.json").write_text(json.dumps({"occurrences": told, "runs": rows}, indent=2) + "\n")
    in_time = 0 < told["seconds"] <= SECONDS and told["in_the_outbox"] >= AUDIENCE and not told["refused_429"]
    return int(not (in_time and found[1].p95 <= found[0].p95 + BOUND))


if __name__ == "__main__":
    sys.exit(main())
