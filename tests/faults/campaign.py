"""One run of a row: load, a fault in the middle of it, until everything is answered; and what the history says."""

import random
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import psycopg2
from redis import RedisError

from tests.e2e.yard import wait_until
from tests.faults.figures import Figures, read
from tests.faults.load import Load, Plan
from tests.faults.settings import PLAIN, Setting
from tests.faults.yard import FaultyYard

BUG_DRAIN_SECONDS: Final = 10.0
"""With a planted bug much is never answered: nobody waits for it as long as for what comes late."""
_INTO: Final = 0.25
"""The part of the load after which the fault begins; of a long one after some seconds."""
_INTO_SECONDS: Final = 4.0
_OPEN: Final = "SELECT count(*) FROM outbox WHERE state IN ('queued', 'retry', 'sending')"
_UNCERTAIN: Final = "SELECT coalesce(sum(uncertain_count), 0) FROM outbox"
_DEAD: Final = "SELECT count(*) FROM dead_letters"


@dataclass(slots=True)
class Scene:
    """Where a fault strikes.

    Args:
        yard: running.
        bots: whom people write to, by Telegram's ids.
        dice: of this run.
        load: of this run.
        figures: of this run.
    """

    yard: FaultyYard
    bots: Sequence[int]
    dice: random.Random
    load: Load
    figures: Figures

    def pause(self, least: float, most: float) -> None:
        """A moment left to chance, in seconds."""
        time.sleep(self.dice.uniform(least, most))


@dataclass(frozen=True, slots=True)
class Row:
    """A fault, and what must hold.

    Args:
        number: in docs/promises.md.
        fault: in words.
        strike: lets it happen, and returns when it is over.
        plan: the load beside it.
        unmoved: which of the bots have no part in it; by default all but a few have.
        finish: looks at what only this row is about, once everything is answered.
        lost: how many lost updates or answers are right, once it is over.
        dead: how many dead letters are right.
        refused: how many answers with 429 are right; none: any.
        drain: seconds within which everything is answered after it.
        bugs: the planted bugs that it catches.
        setting: of its yard.
    """

    number: int
    fault: str
    strike: Callable[[Scene], None]
    plan: Plan = field(default_factory=Plan)
    unmoved: Callable[[Sequence[int]], Collection[int]] = tuple
    finish: Callable[[Scene], None] = lambda _: None
    lost: Callable[[Scene], int] = lambda _: 0
    dead: int = 0
    refused: int | None = 0
    drain: float = 50.0
    bugs: tuple[str, ...] = ()
    setting: Setting = PLAIN


def run_row(yard: FaultyYard, bots: Sequence[int], row: Row, seed: int) -> Figures:
    """Run a row once."""
    yard.calm()
    yard.simulator.post("/sim/faults", fault="off")
    yard.simulator.reset()
    before = yard.figure(_UNCERTAIN), yard.figure(_DEAD)
    figures = Figures(row.number, row.fault, seed)
    load = Load(yard, bots, row.plan, seed)
    scene = Scene(yard, bots, random.Random(seed), load, figures)
    with load:
        time.sleep(min(row.plan.seconds * _INTO, _INTO_SECONDS))  # the fault comes into a load that is under way
        try:
            row.strike(scene)
        except AssertionError as error:
            figures.broken.append(str(error))
        over = time.monotonic()
    yard.calm()
    _drain(yard, row, figures)
    figures.drain_s = round(time.monotonic() - max(over, load.ended), 1)
    figures.uncertain = yard.figure(_UNCERTAIN) - before[0]
    figures.dead = yard.figure(_DEAD) - before[1]
    verdict = read(figures, yard.simulator.history(), set(bots), set(row.unmoved(bots)))
    row.finish(scene)
    figures.judge(lost=row.lost(scene), dead=row.dead, refused=row.refused)
    if figures.accepted < load.made:
        figures.broken.append(f"{load.made - figures.accepted} never acknowledged")
    if figures.more["news"] < load.news:
        figures.broken.append(f"{load.news - figures.more['news']:g} of the bulk sends lost")
    figures.broken += verdict.examples[:3] if figures.broken else []
    return figures


def _drain(yard: FaultyYard, row: Row, figures: Figures) -> None:
    """Until nothing is under way any more: no update at Telegram, in a mailbox or in the outbox."""

    def nothing(count: Callable[[], int]) -> Callable[[], bool]:
        def none_left() -> bool:
            try:
                return count() == 0
            except (RedisError, psycopg2.Error):
                return False  # a server that was killed is on its way back

        return none_left

    try:
        wait_until(yard.simulator.settled, row.drain, "every update is acknowledged")
        wait_until(nothing(yard.held), row.drain, "every update is resolved")
        wait_until(nothing(lambda: yard.figure(_OPEN)), row.drain, "everything is sent")
    except AssertionError as error:
        figures.broken.append(str(error))


def with_seconds(row: Row, seconds: float) -> Row:
    """The same row with a shorter or longer load."""
    return replace(row, plan=replace(row.plan, seconds=seconds))
