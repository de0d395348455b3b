"""The rows of ``make bench``: what is held against what, what must hold, and what is wanted."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.cases import AIOGRAM, BARE, BOTYARD, PTB, QUEUED
from benchmarks.rounds import Measured


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

    def judge(self, found: Mapping[str, Measured]) -> "Judged":
        """The ratio, and what it says."""
        ours, peer = (found[name].middle(self.figure) for name in (self.ours, self.peer))
        ratio = ours / peer
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

    def as_json(self) -> dict[str, Any]:
        """For the report."""
        return {"row": self.row.name, "ratio": round(self.ratio, 4), "holds": self.holds, "goal": self.reached}


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
    Row("f1", "updates taken in/s, 32 waiting", "single", "Botyard's mailboxes", "Celery's delay()", 8, 30),
)
