"""The table of docs/promises.md, made of the report of a campaign."""

import json
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from tests.written_pages import with_table

PAGE: Final = Path(__file__).parents[2] / "docs" / "promises.md"
RESULTS: Final = PAGE.parent / "figures" / "faults.json"
_COUNTS: Final = ("accepted", "lost", "doubled", "reordered", "sent_twice", "uncertain", "refused", "dead")
_NOT_SAID: Final = ("news", "held")
_HEAD: Final = """
| row | what goes wrong | runs | updates | L | D | O | S | U | 429 | dead | T | longest | others' p99 | further |
|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|
"""


def read(report: Path) -> list[dict[str, Any]]:
    """The runs of a report; none if there is none yet."""
    return json.loads(report.read_text()) if report.exists() else []


def page_with(runs: Sequence[dict[str, Any]]) -> str:
    """The page with the figures of these runs."""
    return with_table(PAGE, _of_rows(runs) + _of_bugs(runs) + _of_the_whole(runs), "campaign")


def _of_rows(runs: Iterable[dict[str, Any]]) -> str:
    rows: dict[tuple[int, str], list[dict[str, Any]]] = defaultdict(list)
    for run in runs:
        if "caught" not in run["more"]:
            rows[run["row"], run["fault"]].append(run)
    return _HEAD + "".join(_line(*row, some) for row, some in sorted(rows.items()))


def _line(number: int, fault: str, runs: Sequence[dict[str, Any]]) -> str:
    sums = " | ".join(f"{sum(run[name] for run in runs):,}" for name in _COUNTS)
    times = [run["drain_s"] for run in runs]
    found: dict[str, list[float]] = defaultdict(list)
    for run in runs:
        for name, value in run["more"].items():
            found[name].append(value)
    further = ", ".join(f"{name} {_spread(values)}" for name, values in found.items() if name not in _NOT_SAID)
    waits = f"{statistics.median(times):.1f} s | {max(times):.1f} s | {max(run['p99_s'] for run in runs):.1f} s"
    return f"| {number} | {fault} | {len(runs)} | {sums} | {waits} | {further} |\n"


def _spread(values: Sequence[float]) -> str:
    least, most = min(values), max(values)
    return f"{least:g}" if least == most else f"{least:g} to {most:g}"


def _of_bugs(runs: Iterable[dict[str, Any]]) -> str:
    planted = [run for run in runs if "caught" in run["more"]]
    caught = sum(run["more"]["caught"] for run in planted)
    names = ", ".join(f"`{run['fault'].removeprefix('planted: ')}` (row {run['row']})" for run in planted)
    return f"\nPlanted bugs: {caught:g} of {len(planted)} caught: {names}.\n" if planted else ""


def _of_the_whole(runs: Sequence[dict[str, Any]]) -> str:
    # A report that was begun by older code has no times.
    took = [run.get("took_s", 0.0) for run in runs]
    return f"\nThe {len(runs)} runs took {sum(took) / 60:.0f} minutes.\n" if runs and all(took) else ""
