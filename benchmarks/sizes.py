"""Groups of ``make bench``: Botyard against itself, with more bots, chats and processes; and what a bot weighs."""

import json
import os
import subprocess
import sys
from typing import Final

from benchmarks import peers
from benchmarks.cases import answer_here, as_fast_as_it_goes, receive_here
from benchmarks.rounds import Case, Sample
from benchmarks.stage import USUAL, Stage
from benchmarks.subject import FIRST_BOT, Shape
from benchmarks.weight import QUICK

BOTS: Final = (10, 1_000, 10_000)
CHATS: Final = (100, 10_000, 1_000_000)
# A hundred chats that are answered a thousand times a second: only the rates are others, each send is decided all the
# same.
_NO_LIMIT: Final = (("LIMIT_PRIVATE_PER_SECOND", "100000"), ("LIMIT_PRIVATE_BURST", "1000"))
_PEERS_BOTS: Final = 100


def many_bots(bots: int) -> Shape:
    """A yard with so many bots."""
    return USUAL if bots == USUAL.bots else Shape(bots)


def many_chats(chats: int) -> Shape:
    """A yard with one bot that so many chats have written to."""
    return Shape(10, history=chats, settings=_NO_LIMIT)


def named(what: str, count: int, of: str) -> str:
    """A case's name."""
    return f"{what}, {count:,} {of}"


PROCESSES: Final = (named("CPU seconds", 2, "processes"), named("CPU seconds", 1, "processes"))
WEIGHTS: Final = ("a quiet bot of Botyard's", "an Application of python-telegram-bot")


def by_bots(stage: Stage) -> list[Case]:
    """Webhook requests, answers, and memory, by the number of registered bots."""

    def case(what: str, bots: int) -> Case:
        shape = many_bots(bots)
        if what == "acknowledged":
            return Case(named(what, bots, "bots"), lambda: receive_here(stage, shape))
        if what == "answered":
            return Case(named(what, bots, "bots"), lambda: answer_here(stage, as_fast_as_it_goes(stage), shape))
        return Case(named(what, bots, "bots"), lambda: Sample(stage.subject(shape).kibibytes()))

    return [case(what, bots) for what in ("acknowledged", "answered", "memory") for bots in BOTS]


def by_chats(stage: Stage) -> list[Case]:
    """Answers, by the number of chats that have a history."""

    def case(chats: int) -> Case:
        work = as_fast_as_it_goes(stage)
        return Case(named("answered", chats, "chats"), lambda: answer_here(stage, work, many_chats(chats), chats))

    return [case(chats) for chats in CHATS]


def by_processes(stage: Stage) -> list[Case]:
    """What an update costs with one process for updates, and with two."""

    def case(shape: Shape) -> Case:
        def run() -> Sample:
            found = answer_here(stage, as_fast_as_it_goes(stage), shape)
            return Sample(found.cpu or 0.0, found.p50_ms, found.p99_ms, found.cpu)

        return Case(named("CPU seconds", shape.children, "processes"), run)

    return [case(Shape(BOTS[0])), case(Shape(BOTS[0], children=2))]


def weight(stage: Stage) -> list[Case]:
    """KiB that a worker keeps of each bot that is quiet."""

    def theirs() -> Sample:
        api = f"http://127.0.0.1:{stage.peer_api_port}"
        with stage.alone():
            (kib,) = json.loads(_said(peers.command("calls", "ptb-memory", str(_PEERS_BOTS), api)))
        return Sample(kib)

    def ours() -> Sample:
        command = [sys.executable, "-m", "benchmarks.weight", str(FIRST_BOT), str(USUAL.bots)]
        told = {**stage.subject().yard.environment, **QUICK}
        with stage.alone():
            found = json.loads(_said(command, told))
        return Sample(found[str(USUAL.bots)])

    return [Case(WEIGHTS[0], ours), Case(WEIGHTS[1], theirs)]


def _said(command: list[str], environment: dict[str, str] | None = None) -> str:
    """The last line of what a command prints."""
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env=environment or dict(os.environ))
    if ran.returncode:
        raise RuntimeError(ran.stderr[-500:])
    return ran.stdout.splitlines()[-1]
