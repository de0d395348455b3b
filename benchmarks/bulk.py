"""``python -m benchmarks.bulk``: one bot sends 30 messages a second in bulk while people chat with it.

The simulator enforces Telegram's limits. Writes ``docs/figures/bulk.json``.
"""

import json
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import psycopg2

from benchmarks.chatting import PEOPLE, Waits, chat, token
from benchmarks.fairness import BOUND, FIGURES
from tests.e2e.yard import Yard, wait_until

AUDIENCE = 300
CHATTING = 20
SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 300.0
RATE = 30
TOLERANCE = 0.02
"""Seconds by which the way of a request may differ from another's."""
BOT = 4_740_000_000

_QUEUE = """
INSERT INTO outbox (bot_id, chat_key, lane, method, params)
SELECT b.id, p::text, 3, 'sendMessage', jsonb_build_object('chat_id', p, 'text', 'news ' || n)
  FROM bots b, generate_series(1, %(each)s) AS n, unnest(%(people)s::bigint[]) AS p WHERE b.telegram_id = %(bot)s
 ORDER BY n
"""


def _queue(yard: Yard, people: list[int]) -> int:
    each = int(SECONDS * RATE / len(people))
    owner = yard.environment["DATABASE_OWNER_URL"]
    with closing(psycopg2.connect(owner)) as database, database, database.cursor() as cursor:
        cursor.execute(_QUEUE, {"each": each, "people": people, "bot": BOT})
    return each * len(people)


def measure(folder: Path) -> tuple[list[Waits], dict[str, float]]:
    """The chatting people alone, and beside the bulk sends; and what became of those."""
    with Yard(folder) as yard:
        yard.add_bot(token(BOT), "tests.e2e.bots:counter", "updates", "news_bot")
        audience = [next(PEOPLE) for _ in range(AUDIENCE)]
        for start in range(0, AUDIENCE, RATE // 2):
            some = audience[start : start + RATE // 2]
            # Everybody at once would be more replies than Telegram takes from one bot.
            yard.simulator.post("/sim/batch", bot_id=BOT, messages=[{"person_id": p, "text": "hi"} for p in some])
            time.sleep(0.5)
        pairs = [(BOT, next(PEOPLE)) for _ in range(CHATTING)]
        chat(yard, pairs, "warm-up", 6, every=2)
        wait_until(lambda: yard.metric("outbox_rows") == 0, 60, "everybody is greeted")
        found = [chat(yard, pairs, "without bulk", 30, every=2)]
        queued = _queue(yard, audience)
        found.append(chat(yard, pairs, "beside bulk", SECONDS, every=2))
        wait_until(lambda: yard.metric("outbox_rows") == 0, 120, "all is sent")
        return found, _bulk(yard, queued)


def _bulk(yard: Yard, queued: int) -> dict[str, float]:
    calls = [one for one in yard.simulator.history() if one["kind"] == "call" and one["method"] == "sendMessage"]
    news = sorted(one["at"] for one in calls if one["ok"] and one["params"]["text"].startswith("news "))
    refused = sum(one["error_code"] == 429 for one in calls)
    second = 1 - TOLERANCE
    fullest = max(
        sum(begin <= at < begin + second for at in news[place : place + 100]) for place, begin in enumerate(news)
    )
    rate = (len(news) - 1) / (news[-1] - news[0])
    return {"queued": queued, "sent": len(news), "per_second": rate, "fullest_second": fullest, "refused_429": refused}


def main() -> int:
    """Measure, print, write; 1 when a promise does not hold."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        found, bulk = measure(Path(folder) / "yard")
    print("\n".join(map(str, found)))
    print(", ".join(f"{name} {value:g}" for name, value in bulk.items()))
    FIGURES.mkdir(parents=True, exist_ok=True)
    rows = [{key: value for key, value in asdict(one).items() if key != "waits"} for one in found]
    (FIGURES / "bulk.json").write_text(json.dumps({"bulk": bulk, "runs": rows}, indent=2) + "\n")
    all_sent = bulk["sent"] == bulk["queued"] and bulk["refused_429"] == 0 and bulk["fullest_second"] <= RATE
    return int(not (all_sent and found[1].p95 <= found[0].p95 + BOUND))


if __name__ == "__main__":
    sys.exit(main())
