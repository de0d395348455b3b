"""Cases that take turns, round after round, so that what the machine does meanwhile meets all of them alike."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from benchmarks.machine import Strangers

ROUNDS: Final = 3
_MOST_STRANGERS: Final = 0.35
"""A run beside which others used more than so many cores is repeated once, and the quieter one counts."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of a case.

    Args:
        value: the figure, in the row's unit.
        p50_ms: the median of its latencies.
        p99_ms: their 99th percentile.
        cpu: seconds that the Python under test used for a thousand.
    """

    value: float
    p50_ms: float | None = None
    p99_ms: float | None = None
    cpu: float | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """Something that is measured.

    Args:
        name: in words.
        run: measures it once.
    """

    name: str
    run: Callable[[], Sample]


@dataclass(slots=True)
class Measured:
    """What all rounds of a case say.

    Args:
        name: the case's.
        samples: one for each round.
        strangers: cores used by others, the median of the rounds.
    """

    name: str
    samples: list[Sample] = field(default_factory=list)
    strangers: list[float] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """For the report."""
        return {
            "name": self.name,
            "value": statistics.median(one.value for one in self.samples),
            "p50_ms": _middle([one.p50_ms for one in self.samples]),
            "p99_ms": _middle([one.p99_ms for one in self.samples]),
            "cpu_seconds_per_1000": _middle([one.cpu for one in self.samples]),
            "strangers": round(statistics.median(self.strangers), 2),
            "samples": [asdict(one) for one in self.samples],
        }


def take_turns(cases: Sequence[Case], rounds: int = ROUNDS) -> list[Measured]:
    """Run each case once in every round."""
    found = {case.name: Measured(case.name) for case in cases}
    for number in range(rounds):
        for case in cases:
            sample, strangers = _run(case)
            found[case.name].samples.append(sample)
            found[case.name].strangers.append(strangers)
            figures = ", ".join(f"{name} {value:.4g}" for name, value in asdict(sample).items() if value is not None)
            print(f"  round {number + 1}: {case.name}: {figures}", flush=True)
    return list(found.values())


def _run(case: Case) -> tuple[Sample, float]:
    with Strangers() as first:
        sample = case.run()
    if first.cores <= _MOST_STRANGERS:
        return sample, first.cores
    with Strangers() as second:
        again = case.run()
    return (again, second.cores) if second.cores < first.cores else (sample, first.cores)


def _middle(values: Sequence[float | None]) -> float | None:
    found = [value for value in values if value is not None]
    return statistics.median(found) if found else None
