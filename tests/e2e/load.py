"""Bursts of messages from many people to bots that count."""

import random
import time
from collections.abc import Callable
from typing import Any

from tests.e2e.checker import Verdict, answered, check
from tests.e2e.yard import Yard, wait_until

KIND = "tests.e2e.bots:counter"
SLOW_KIND = "tests.e2e.bots:slow_counter"


def write_in_bursts(
    yard: Yard,
    bots: list[int],
    *,
    messages: int,
    chats: int,
    seconds: float,
    seed: int = 1,
    meanwhile: Callable[[int, int], None] = lambda _burst, _of: None,
) -> int:
    """Write, from ``chats`` people, ``messages`` messages over ``seconds``; how many updates that made.

    Each seed has people of its own, whom the bots have not counted before. ``meanwhile`` is called right after each
    burst, while it is being worked on, with its number and how many there are.
    """
    dice = random.Random(seed)
    people = [6_000_000_000 + seed * 1000 + number for number in range(chats)]
    bursts = max(1, messages // 100)
    made = 0
    for burst in range(bursts):
        began = time.monotonic()
        for place, bot in enumerate(bots):
            share = [person for person in people if person % len(bots) == place]
            batch = [
                {"person_id": dice.choice(share), "text": f"{burst}-{place}-{number}"}
                for number in range(messages // bursts // len(bots))
            ]
            made += len(yard.simulator.post("/sim/batch", bot_id=bot, messages=batch)["update_ids"])
        meanwhile(burst, bursts)
        time.sleep(max(0.0, seconds / bursts - (time.monotonic() - began)))  # the pace of the load, not a wait
    return made


def drained(yard: Yard, expected: int, seconds: float) -> tuple[Verdict, list[dict[str, Any]]]:
    """Wait until every update is acknowledged and answered; what the history then says."""
    wait_until(yard.simulator.settled, seconds, "every update is acknowledged")
    wait_until(lambda: answered(yard.simulator.history()) >= expected, seconds, f"{expected} answers arrived")
    history = yard.simulator.history()
    return check(history), history
