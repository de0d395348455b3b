"""People who write to bots at a steady pace, and how long they wait for the answers."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from tests.e2e.yard import Yard

PEOPLE = count(6_100_000_000)
"""Fresh ids of people."""
_LAST_ANSWERS_SECONDS = 5.0


@dataclass(frozen=True)
class Waits:
    """How long answers took, in seconds: from the person's writing to the answer's arrival at the simulator."""

    name: str
    asked: int
    answered: int
    p50: float
    p95: float
    p99: float
    waits: list[float]

    def __str__(self) -> str:
        figures = ", ".join(f"{name} {getattr(self, name) * 1000:.0f} ms" for name in ("p50", "p95", "p99"))
        return f"{self.name:45} {self.answered}/{self.asked} answered, {figures}"


def token(number: int) -> str:
    """A bot's token, invented."""
    return f"{number}:AAEhBOweik6ad6PsWZGUUUvE8nsXTWZl0aM"


def chat(yard: Yard, pairs: Sequence[tuple[int, int]], name: str, seconds: float, every: float = 1.0) -> Waits:
    """Each person writes to their bot at this pace; bots are to answer ``<anything> <what was written>``.

    Args:
        yard: where they live.
        pairs: bots, by Telegram's id, and people.
        name: of the measurement.
        seconds: for how long.
        every: seconds between two messages of one person.
    """
    after = max((event["seq"] for event in yard.simulator.history()), default=0)
    until = time.monotonic() + seconds
    asked = 0
    while time.monotonic() < until:
        turn = time.monotonic()
        for place, (bot, person) in enumerate(pairs):
            # Spread over the time, as people are.
            time.sleep(max(0.0, turn + every * place / len(pairs) - time.monotonic()))
            yard.simulator.post("/sim/batch", bot_id=bot, messages=[{"person_id": person, "text": f"q{asked}"}])
            asked += 1
        time.sleep(max(0.0, turn + every - time.monotonic()))
    time.sleep(_LAST_ANSWERS_SECONDS)
    return _measure(yard, set(pairs), name, asked, after)


def _measure(yard: Yard, pairs: set[tuple[int, int]], name: str, asked: int, after: int) -> Waits:
    wrote: dict[tuple[int, str], float] = {}
    waits = []
    for event in yard.simulator.history():
        if event["seq"] <= after or (event.get("bot_id"), event.get("chat_id")) not in pairs:
            continue
        if event["kind"] == "update":
            text = (event["update"].get("message") or {}).get("text", "")
            wrote[event["chat_id"], text] = event["at"]
        elif event["kind"] == "call" and event["method"] == "sendMessage" and event["ok"]:
            begun = wrote.pop((event["chat_id"], event["params"]["text"].rpartition(" ")[2]), None)
            if begun is not None:
                waits.append(event["at"] - begun)
    cuts = statistics.quantiles(waits, n=100)
    return Waits(name, asked, len(waits), cuts[49], cuts[94], cuts[98], sorted(waits))
