"""``python -m benchmarks.fairness``: what people wait for an answer while other bots flood, sleep or block.

Writes ``docs/figures/fairness.json`` and, as a picture, ``docs/figures/fairness.svg``. Everything runs as separate
processes on this machine: the load, the simulator, PostgreSQL, Valkey, the web process and every worker.
"""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path

from benchmarks.steps import steps
from tests.e2e.conftest import FAST
from tests.e2e.yard import Yard, wait_until

FIGURES = Path(__file__).parents[1] / "docs" / "figures"
QUIET_BOTS = 50
SECONDS = 30.0
EVERY = 1.0
BOUND = 0.250
FLOOD = 10_000

_persons = count(6_100_000_000)
Disturb = Callable[[Yard], None]


@dataclass(frozen=True)
class Waits:
    """How long the answers of the quiet bots took, in seconds."""

    name: str
    answered: int
    asked: int
    p50: float
    p95: float
    p99: float
    waits: list[float]


def _token(number: int) -> str:
    return f"{number}:AAEhBOweik6ad6PsWZGUUUvE8nsXTWZl0aM"


def _chat(yard: Yard, bots: dict[int, int], name: str) -> Waits:
    """Each quiet bot's person writes once a second; from the request to the answer's arrival at the simulator."""
    latest = max((event["seq"] for event in yard.simulator.history()), default=0)
    until = time.monotonic() + SECONDS
    asked = 0
    while time.monotonic() < until:
        turn = time.monotonic()
        for place, (bot, person) in enumerate(bots.items()):
            # Spread over the second, as people are.
            time.sleep(max(0.0, turn + EVERY * place / len(bots) - time.monotonic()))
            yard.simulator.post("/sim/send", bot_id=bot, person_id=person, text=str(asked))
            asked += 1
        time.sleep(max(0.0, turn + EVERY - time.monotonic()))
    time.sleep(5)  # what has no answer by then counts as unanswered
    return _measure(yard, bots, name, asked, latest)


def _measure(yard: Yard, bots: dict[int, int], name: str, asked: int, after: int) -> Waits:
    wrote: dict[tuple[int, str], float] = {}
    waits = []
    for event in yard.simulator.history():
        if event["seq"] <= after or event.get("bot_id") not in bots:
            continue
        if event["kind"] == "update":
            message = event["update"].get("message") or {}
            wrote[event["bot_id"], message.get("text", "")] = event["at"]
        elif event["kind"] == "call" and event["method"] == "sendMessage":
            begun = wrote.pop((event["bot_id"], event["params"]["text"].split(" ", 1)[1]), None)
            if begun is not None:
                waits.append(event["at"] - begun)
    cuts = statistics.quantiles(waits, n=100)
    return Waits(name, len(waits), asked, cuts[49], cuts[94], cuts[98], sorted(waits))


def _flood(yard: Yard, bot: int) -> None:
    people = [next(_persons) for _ in range(200)]
    messages = [{"person_id": people[number % 200], "text": f"flood {number}"} for number in range(FLOOD)]
    yard.simulator.post("/sim/batch", bot_id=bot, messages=messages)


def _occupy(yard: Yard, waiting: list[int], blocking: list[int]) -> None:
    for bot in [*waiting, *blocking]:
        messages = [{"person_id": next(_persons), "text": "work"} for _ in range(40)]
        yard.simulator.post("/sim/batch", bot_id=bot, messages=messages)
    time.sleep(3)  # until they are at it


def measure(folder: Path) -> list[Waits]:
    """The quiet yard, the flooded one, and the one with waiting and blocking bots."""
    with Yard(folder, **FAST) as yard:
        yard.simulator.post("/sim/settings", flood=False)
        quiet = {}
        for number in range(QUIET_BOTS):
            bot = yard.add_bot(
                _token(4_700_000_000 + number), "tests.e2e.bots:counter", "updates", f"quiet_{number}_bot"
            )
            quiet[bot] = next(_persons)
        flooded = yard.add_bot(_token(4_710_000_000), "tests.e2e.bots:counter", "updates")
        waiting = [
            yard.add_bot(_token(4_720_000_000 + n), "tests.e2e.bots:sleeper", "slow", f"sleeper_{n}_bot")
            for n in range(20)
        ]
        blocking = [
            yard.add_bot(_token(4_730_000_000 + n), "tests.e2e.bots:blocker", "slow", f"blocker_{n}_bot")
            for n in range(5)
        ]
        _chat(yard, quiet, "warm-up")
        found = [_chat(yard, quiet, "quiet")]
        _flood(yard, flooded)
        found.append(_chat(yard, quiet, "10,000 updates at once to one bot"))
        wait_until(yard.simulator.settled, 300, "the flood is taken in")
        _occupy(yard, waiting, blocking)
        found.append(_chat(yard, quiet, "20 bots wait 30 s, 5 block their loop"))
        return found


def main() -> int:
    """Measure, print, write; 1 when the bound does not hold."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        found = measure(Path(folder) / "yard")
    bound = found[0].p95 + BOUND
    for one in found:
        print(f"{one.name:45} {one.answered}/{one.asked} answered, "
              f"p50 {one.p50 * 1000:.0f} ms, p95 {one.p95 * 1000:.0f} ms, p99 {one.p99 * 1000:.0f} ms")  # fmt: skip
    FIGURES.mkdir(parents=True, exist_ok=True)
    rows = [{key: value for key, value in asdict(one).items() if key != "waits"} for one in found]
    (FIGURES / "fairness.json").write_text(json.dumps({"bound_seconds": bound, "runs": rows}, indent=2) + "\n")
    curves = [(one.name, one.waits) for one in found]
    (FIGURES / "fairness.svg").write_text(steps(curves, bound, "seconds until the answer", "share of answers"))
    return int(any(one.p95 > bound or one.answered < one.asked for one in found))


if __name__ == "__main__":
    sys.exit(main())
