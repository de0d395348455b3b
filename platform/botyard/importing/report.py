"""What an import found, wrote and left out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_MOST_SAMPLES: Final = 5
_MOST_REASONS: Final = 100
_LONGEST: Final = 300
_OTHER: Final = "for other reasons"

NEW: Final = "new"
SAME: Final = "same"
CHANGED: Final = "changed"
KEPT: Final = "kept"


@dataclass(slots=True)
class Said:
    """How often something was said, and of what at first."""

    count: int = 0
    samples: list[str] = field(default_factory=list)

    def add(self, sample: str) -> None:
        """Once more."""
        self.count += 1
        if len(self.samples) < _MOST_SAMPLES:
            self.samples.append(sample if len(sample) <= _LONGEST else sample[:_LONGEST] + "…")

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {"count": self.count, "samples": self.samples}


class Report:
    """The counts of an import, with a few samples of each; its size has a limit whatever is imported.

    Attributes:
        counts: by what it is (``people``, ``user``, …) and what became of it: ``new``, ``same``, ``changed`` or
            ``kept`` (another one is here, and stays).
        skipped: what was left out, by the reason.
        notes: what was brought along in another form, or asks for something.
        kept: what is here already and differs, by what it is.
    """

    def __init__(self) -> None:
        self.counts: dict[str, dict[str, int]] = {}
        self.skipped: dict[str, Said] = {}
        self.notes: dict[str, Said] = {}
        self.kept: dict[str, Said] = {}

    def count(self, what: str, outcome: str, number: int = 1) -> None:
        """Things of a sort of which this became."""
        of_sort = self.counts.setdefault(what, {})
        of_sort[outcome] = of_sort.get(outcome, 0) + number

    def skip(self, why: str, path: str) -> None:
        """Something was left out; ``path`` says where it stood."""
        _say(self.skipped, why, path)

    def note(self, what: str, path: str) -> None:
        """Something was brought along, and there is something to be said of it."""
        _say(self.notes, what, path)

    def differs(self, what: str, path: str) -> None:
        """Something is here already, and is not the same."""
        self.count(what, KEPT)
        _say(self.kept, what, path)

    def add(self, other: "Report") -> None:
        """Add what another one has counted."""
        for what, counts in other.counts.items():
            for outcome, number in counts.items():
                self.count(what, outcome, number)
        for name in ("kept", "skipped", "notes"):
            found: dict[str, Said] = getattr(self, name)
            for what, said in getattr(other, name).items():
                mine = found.setdefault(what, Said())
                mine.count += said.count
                mine.samples = (mine.samples + said.samples)[:_MOST_SAMPLES]

    def as_json(self) -> dict[str, Any]:
        """The whole report for programs; `of` reads it again."""
        return {
            "counts": self.counts,
            **{
                name: {what: said.as_json() for what, said in found.items()}
                for name, found in (("kept", self.kept), ("skipped", self.skipped), ("notes", self.notes))
            },
        }

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> "Report":
        """A report that is to be gone on with."""
        report = cls()
        report.counts = {what: dict(counts) for what, counts in stored.get("counts", {}).items()}
        for name in ("kept", "skipped", "notes"):
            found = {what: Said(one["count"], list(one["samples"])) for what, one in stored.get(name, {}).items()}
            setattr(report, name, found)
        return report


def _say(found: dict[str, Said], what: str, path: str) -> None:
    if what not in found and len(found) >= _MOST_REASONS:
        what = _OTHER
    found.setdefault(what[:_LONGEST], Said()).add(path)
