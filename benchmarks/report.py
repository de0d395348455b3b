"""What ``make bench`` found: docs/figures/bench.json, and the table of docs/performance.md made of it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks import sizing
from benchmarks.table import Groups, Judged, judge
from tests.written_pages import with_table

PAGE: Final = Path(__file__).parents[1] / "docs" / "performance.md"
RESULTS: Final = PAGE.parent / "figures" / "bench.json"
_HEAD: Final = """
| row | what | Botyard | beside | | ratio | must | goal | |
|---|---|--:|---|--:|--:|--:|--:|---|
"""
_DETAILS: Final = """
| `{}` | per second, or as said above | p50, ms | p99, ms | CPU seconds for 1,000 |
|---|--:|--:|--:|--:|
"""


def read() -> dict[str, list[dict[str, Any]]]:
    """The cases of all groups that were measured so far."""
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def keep(found: Groups) -> None:
    """Write what was found in these groups, beside what is known of the others."""
    groups = {**read(), **found}
    RESULTS.write_text(json.dumps(groups, indent=1) + "\n")
    PAGE.write_text(page_with(groups))
    if groups.keys() >= {"through", "by_bots", "sizing"}:
        sizing.PAGE.write_text(sizing.page_with(groups))


def page_with(groups: Groups) -> str:
    """The page with these figures."""
    return with_table(PAGE, _of_rows(groups) + _of_cases(groups), "benchmarks")


def _of_rows(groups: Groups) -> str:
    return _HEAD + "".join(map(_line, judge(groups)))


def _line(one: Judged) -> str:
    row, sign = one.row, "≤" if one.row.less else "≥"
    verdict = "goal" if one.reached else "must" if one.holds else "**missed**"
    return (
        f"| {row.name} | {row.what} | {one.ours:,.4g} | {row.peer} | {one.peer:,.4g} | {one.ratio:.3g} "
        f"| {sign} {row.must:.3g} | {sign} {row.goal:.3g} | {verdict} |\n"
    )


def _of_cases(groups: Groups) -> str:
    return "".join(_DETAILS.format(name) + "".join(map(_case, cases)) for name, cases in groups.items())


def _case(case: Mapping[str, Any]) -> str:
    figures = (case["value"], case["p50_ms"], case["p99_ms"], case["cpu_seconds_per_1000"])
    return f"| {case['name']} | " + " | ".join("" if one is None else f"{one:,.3g}" for one in figures) + " |\n"
