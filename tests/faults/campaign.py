"""Faults under load, and what the simulator's history says afterwards."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.e2e.load import SLOW_KIND, drained, write_in_bursts
from tests.e2e.yard import Yard

RESULTS = Path(__file__).parent / "results.json"
TOKENS = ("4200000101:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "4200000102:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
DRAIN_SECONDS = 150
_INTO_A_BURST = 0.15


@dataclass(frozen=True)
class Result:
    """One fault's line of the report."""

    fault: str
    injected: int
    accepted: int
    lost: int
    doubled: int
    reordered: int
    sent_twice: int
    uncertain: int
    recovery_s: float
    examples: tuple[str, ...] = ()

    def holds(self) -> bool:
        """Every promise was kept: a second send is one that was counted as uncertain."""
        return not (self.lost or self.doubled or self.reordered) and self.sent_twice <= self.uncertain


def kill(name: str) -> Callable[[Yard], None]:
    """``kill -9`` of a process type and all of its group."""
    return lambda yard: yard.kill(name)


def kill_child(name: str) -> Callable[[Yard], None]:
    """``kill -9`` of one child of a process type."""
    return lambda yard: yard.kill_child(name)


FAULTS: dict[str, Callable[[Yard], None]] = {
    "kill -9 web": kill("web"),
    "kill -9 one web process": kill_child("web"),
    "kill -9 worker": kill("worker"),
    "kill -9 one child of worker": kill_child("worker"),
    "kill -9 worker_slow": kill("worker_slow"),
    "kill -9 worker_outbound": kill("worker_outbound"),
    "kill -9 worker_maintenance": kill("worker_maintenance"),
    "kill -9 beat": kill("beat"),
    "kill -9 valkey": kill("valkey"),
    "kill -9 postgres": kill("postgres"),
}


def add_bots(yard: Yard) -> list[int]:
    """One bot for each queue."""
    return [yard.add_bot(token, SLOW_KIND, queue) for token, queue in zip(TOKENS, ("updates", "slow"), strict=True)]


def run_fault(
    yard: Yard, bots: list[int], faults: list[str], *, messages: int, seconds: float, seed: int = 1
) -> Result:
    """Load with faults spread over it, until everything is answered."""
    yard.simulator.post("/sim/history/reset")
    before = yard.metric("bot_sends_uncertain_total")
    injected = 0

    def inject(burst: int, of: int) -> None:
        """In the middle of a burst, the next fault that is due."""
        nonlocal injected
        if injected < len(faults) and burst >= (injected + 0.5) * of / len(faults):
            time.sleep(_INTO_A_BURST)
            FAULTS[faults[injected]](yard)
            injected += 1

    made = write_in_bursts(yard, bots, messages=messages, chats=50, seconds=seconds, seed=seed, meanwhile=inject)
    ended = time.monotonic()
    verdict, _ = drained(yard, made, DRAIN_SECONDS)
    return Result(
        fault=" + ".join(dict.fromkeys(faults)),
        injected=injected,
        accepted=verdict.accepted,
        lost=verdict.lost + made - verdict.accepted,
        doubled=verdict.doubled,
        reordered=verdict.reordered,
        sent_twice=verdict.sent_twice,
        uncertain=int(_uncertain(yard) - before),
        recovery_s=round(time.monotonic() - ended, 1),
        examples=tuple(verdict.examples),
    )


def _uncertain(yard: Yard) -> float:
    """The figure once it no longer moves: processes add up what they counted once a second."""
    last = -1.0
    while (now := yard.metric("bot_sends_uncertain_total")) != last:
        last = now
        time.sleep(1.5)
    return now


def write(results: list[Result]) -> None:
    """Keep the report."""
    RESULTS.write_text(json.dumps([asdict(result) for result in results], indent=2) + "\n")
