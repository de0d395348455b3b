"""A group of ``make bench``: what a thousand updates cost; and docs/sizing.md, reckoned from that."""

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.cases import BOTYARD, as_fast_as_it_goes
from benchmarks.chats import Chats
from benchmarks.machine import cpu_seconds
from benchmarks.rounds import Case, Sample
from benchmarks.sizes import BOTS, named
from benchmarks.stage import Stage
from benchmarks.subject import Subject
from tests.written_pages import with_table

PAGE: Final = Path(__file__).parents[1] / "docs" / "sizing.md"
PYTHON: Final = "CPU seconds of Botyard's processes"
SERVERS: Final = "CPU seconds of PostgreSQL and Redis"
DISK: Final = "MiB on PostgreSQL's disk"
_YARDS: Final = ((1, 0.1), (10, 1), (100, 10), (1_000, 100), (10_000, 500), (10_000, 1_000), (10_000, 5_000))
"""Bots, and updates a second of all of them."""
_BUSY: Final = 0.6
"""The part of a core that is planned with: the rest is for busier minutes."""
_KEPT_SECONDS: Final = 72 * 3600
"""What is resolved is kept so long."""
_MIB: Final = 2**20
_HEAD: Final = """
| bots | updates/s | cores for Python | cores for PostgreSQL and Redis | memory of both | disk for 72 hours | |
|--:|--:|--:|--:|--:|--:|---|
"""


def sizing(stage: Stage) -> list[Case]:
    """What a thousand updates cost that are answered."""

    def case(name: str, spent: Callable[[Subject], float]) -> Case:
        return Case(name, lambda: _cost(stage, spent))

    return [
        case(PYTHON, lambda subject: cpu_seconds(subject.pids())),
        case(SERVERS, lambda subject: cpu_seconds([subject.yard.pid("postgres"), subject.yard.pid("valkey")])),
        case(DISK, lambda subject: _bytes(subject) / _MIB),
    ]


def _bytes(subject: Subject) -> int:
    ((size,),) = subject.sql("SELECT pg_database_size(current_database())")
    return int(str(size))


def _cost(stage: Stage, spent: Callable[[Subject], float]) -> Sample:
    subject = stage.subject()
    chats = Chats(subject.doors(1))
    before = spent(subject)
    with stage.alone(but=subject):
        stage.chatting(chats, contextlib.nullcontext(subject.pids()), as_fast_as_it_goes(stage))
    return Sample((spent(subject) - before) / chats.done * 1000)


def page_with(groups: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """The page with what follows from these figures."""
    found = {case["name"]: case["value"] for name in ("sizing", "by_bots") for case in groups[name]}
    (most,) = (case["value"] for case in groups["through"] if case["name"] == BOTYARD)
    kib = [found[named("memory", bots, "bots")] for bots in (BOTS[0], BOTS[-1])]
    each = (kib[1] - kib[0]) / (BOTS[-1] - BOTS[0])

    def line(bots: int, rate: float) -> str:
        cores = [_cores(rate * found[name] / 1000) for name in (PYTHON, SERVERS)]
        memory = (kib[0] + each * bots) / 1024
        disk = rate * _KEPT_SECONDS * found[DISK] / 1000 / 1024
        said = "measured" if rate <= most else "arithmetic"
        room = f"{memory:,.0f} MiB | {disk:,.{int(disk < 100)}f} GiB"
        return f"| {bots:,} | {rate:,g} | {cores[0]} | {cores[1]} | {room} | {said} |\n"

    return with_table(PAGE, _HEAD + "".join(line(*yard) for yard in _YARDS), "benchmarks")


def _cores(busy: float) -> str:
    needed = busy / _BUSY
    return f"{max(needed, 0.1):.1f}" if needed < 1 else f"{math.ceil(needed)}"
