"""``python -m benchmarks.fairness``: what people wait for an answer while other bots flood, wait or block.

Writes ``docs/figures/fairness.json`` and, as a picture, ``docs/figures/fairness.svg``. Everything runs as separate
processes on this machine: the load, the simulator, PostgreSQL, Valkey, the web process and every worker.
"""

import json
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from benchmarks.chatting import PEOPLE, Waits, chat, token
from benchmarks.steps import steps
from tests.e2e.conftest import FAST
from tests.e2e.yard import Yard, wait_until

FIGURES = Path(__file__).parents[1] / "docs" / "figures"
QUIET_BOTS = 50
SECONDS = 30.0
BOUND = 0.250
FLOOD = 10_000


def _flood(yard: Yard, bot: int) -> None:
    people = [next(PEOPLE) for _ in range(200)]
    messages = [{"person_id": people[number % 200], "text": f"flood {number}"} for number in range(FLOOD)]
    yard.simulator.post("/sim/batch", bot_id=bot, messages=messages)


def _occupy(yard: Yard, bots: list[int]) -> None:
    for bot in bots:
        messages = [{"person_id": next(PEOPLE), "text": "work"} for _ in range(40)]
        yard.simulator.post("/sim/batch", bot_id=bot, messages=messages)
    time.sleep(3)  # until they are at it


def measure(folder: Path) -> list[Waits]:
    """The quiet yard, the flooded one, and the one with waiting and blocking bots."""
    with Yard(folder, **FAST) as yard:
        yard.simulator.post("/sim/settings", flood=False)

        def add(first: int, count: int, kind: str, queue: str) -> list[int]:
            names = [(token(first + n), f"{kind}_{n}_bot") for n in range(count)]
            return [yard.add_bot(key, f"tests.e2e.bots:{kind}", queue, name) for key, name in names]

        pairs = [(bot, next(PEOPLE)) for bot in add(4_700_000_000, QUIET_BOTS, "counter", "updates")]
        (flooded,) = add(4_710_000_000, 1, "slow_counter", "updates")
        busy = [*add(4_720_000_000, 20, "sleeper", "slow"), *add(4_730_000_000, 5, "blocker", "slow")]
        chat(yard, pairs, "warm-up", 5)
        found = [chat(yard, pairs, "quiet", SECONDS)]
        _flood(yard, flooded)
        found.append(chat(yard, pairs, "10,000 updates at once to one bot", SECONDS))
        wait_until(yard.simulator.settled, 300, "the flood is taken in")
        _occupy(yard, busy)
        found.append(chat(yard, pairs, "20 bots wait 30 s, 5 block their loop", SECONDS))
        return found


def main() -> int:
    """Measure, print, write; 1 when the bound does not hold."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        found = measure(Path(folder) / "yard")
    bound = found[0].p95 + BOUND
    print("\n".join(map(str, found)))
    FIGURES.mkdir(parents=True, exist_ok=True)
    rows = [{key: value for key, value in asdict(one).items() if key != "waits"} for one in found]
    (FIGURES / "fairness.json").write_text(json.dumps({"bound_seconds": bound, "runs": rows}, indent=2) + "\n")
    curves = [(one.name, one.waits) for one in found]
    (FIGURES / "fairness.svg").write_text(steps(curves, bound, "seconds until the answer", "share of answers"))
    return int(any(one.p95 > bound or one.answered < one.asked for one in found))


if __name__ == "__main__":
    sys.exit(main())
