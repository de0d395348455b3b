"""The rows of ``make bench``: what is held against what, what must hold, and what is wanted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.beside import ALONE, CROWDED
from benchmarks.cases import AIOGRAM, BARE, BOTYARD, PTB, QUEUED
from benchmarks.sizes import BOTS, CHATS, PROCESSES, WEIGHTS, named

Groups = Mapping[str, Sequence[Mapping[str, Any]]]
"""What was found, by groups: of each case what `benchmarks.rounds.Measured` says."""


@dataclass(frozen=True, slots=True)
class Row:
    """One ratio.

    Args:
        name: in docs/performance.md.
        what: is measured, in words.
        group: of cases, see `benchmarks.cases`.
        ours: our case.
        peer: what it is held against.
        must: what no release may miss.
        goal: what is wanted.
        figure: of a sample.
        less: less is better.
        added: what counts is the difference, and not the ratio.
    """

    name: str
    what: str
    group: str
    ours: str
    peer: str
    must: float
    goal: float
    figure: str = "value"
    less: bool = False
    added: bool = False

    def judge(self, cases: Sequence[Mapping[str, Any]]) -> "Judged":
        """The ratio of what was found of these cases, and what it says."""
        found = {case["name"]: case[self.figure] for case in cases}
        ours, peer = found[self.ours], found[self.peer]
        ratio = ours - peer if self.added else ours / peer
        holds = [ratio <= bound if self.less else ratio >= bound for bound in (self.must, self.goal)]
        return Judged(self, ours, peer, ratio, *holds)


@dataclass(frozen=True, slots=True)
class Judged:
    """A row that was measured."""

    row: Row
    ours: float
    peer: float
    ratio: float
    holds: bool
    reached: bool

    def line(self) -> str:
        """For the table."""
        row, sign = self.row, "<=" if self.row.less else ">="
        verdict = "goal" if self.reached else "must" if self.holds else "MISSED"
        return (
            f"{row.name:3} {row.what:44} {self.ours:12,.2f} {self.peer:12,.2f} {self.ratio:8.3f}"
            f"   {sign} {row.must:g} ({row.goal:g})  {verdict:7} {row.peer}"
        )


def _against_itself(group: str, what: str, of: str, counts: Sequence[int], *, less: bool = False) -> list[Row]:
    must, goal = (1.3, 1.15) if less else (0.7, 0.85)
    smallest, *larger = (named(what, count, of) for count in counts)
    return [Row("g1", name, group, name, smallest, must, goal, less=less) for name in larger]


HEAD: Final = f"{'':3} {'':44} {'Botyard':>12} {'peer':>12} {'ratio':>8}   must (goal)"
ROWS: Final = (
    Row("a1", "webhook acknowledgements/s", "receiving", BOTYARD, PTB, 4, 6),
    Row("a2", "webhook acknowledgements/s", "receiving", BOTYARD, AIOGRAM, 2.5, 4),
    Row("a3", "webhook acknowledgements/s", "receiving", BOTYARD, BARE, 0.4, 0.6),
    Row("a4", "their 99th percentile, ms", "receiving", BOTYARD, PTB, 1, 0.5, figure="p99_ms", less=True),
    Row("b1", "answers/s, 64 outstanding", "through", BOTYARD, PTB, 2, 3),
    Row("b2", "answers/s, 64 outstanding", "through", BOTYARD, AIOGRAM, 1.05, 1.5),
    Row("b3", "answers/s, 64 outstanding", "through", BOTYARD, QUEUED, 4, 6),
    Row("b4", "median at 50 updates/s, ms", "at_a_pace", BOTYARD, PTB, 8, 4, figure="p50_ms", less=True),
    Row("b5", "99th percentile at 50 updates/s, ms", "at_a_pace", BOTYARD, QUEUED, 3, 1.5, figure="p99_ms", less=True),
    Row("c1", "sends/s, 50 at once", "sending", BOTYARD, PTB, 7, 10),
    Row("c2", "sends/s, 50 at once", "sending", BOTYARD, AIOGRAM, 1, 1.5),
    Row("d1", "limiter's decisions/s, 32 waiting", "single", "Botyard's limiter", "limits, one scope", 1, 2),
    Row("e1", "KiB of a registered, quiet bot", "weight", *WEIGHTS, 1 / 200, 1 / 400, less=True),
    Row("f1", "updates taken in/s, 32 waiting", "single", "Botyard's mailboxes", "Celery's delay()", 8, 30),
    *_against_itself("by_bots", "acknowledged", "bots", BOTS),
    *_against_itself("by_bots", "answered", "bots", BOTS),
    *_against_itself("by_bots", "memory", "bots", BOTS, less=True),
    *_against_itself("by_chats", "answered", "chats", CHATS),
    Row("g2", "CPU seconds per 1,000 updates", "by_processes", *PROCESSES, 1.2, 1.05, less=True),
    Row("h1", "95th percentile of a bot's answers, ms", "beside", CROWDED, ALONE, 250, 50, less=True, added=True),
)


def judge(groups: Groups) -> list[Judged]:
    """The rows of these groups."""
    return [row.judge(groups[row.group]) for row in ROWS if row.group in groups]
