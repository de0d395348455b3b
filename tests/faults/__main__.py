"""``make faults``: every row of the campaign, several seeds each; docs/figures/faults.json, docs/promises.md.

``python -m tests.faults [ROW …] [--seeds N] [--seconds S] [--resume] [--bugs only|without] [--report FILE]``: single
rows by their numbers; shorter loads; what a run that was interrupted has done already is not done again; nothing but
the planted bugs, each of which must be caught by its row, or none of them; and another file for the report.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from tests.faults.campaign import BUG_DRAIN_SECONDS, Row, run_row, with_seconds
from tests.faults.figures import Figures
from tests.faults.report import PAGE, RESULTS, page_with, read
from tests.faults.rows import ROWS
from tests.faults.settings import Setting

SEEDS: Final = 5
_HEAD: Final = f"{'row':>3} {'fault':46} seed " + " ".join(
    f"{name:>6}" for name in ("accept", "lost", "double", "reord", "twice", "uncert", "429", "dead")
)


def main(arguments: list[str]) -> int:
    """Run what is asked for; 1 when a promise was broken, or a planted bug was not caught."""
    asked = _parser().parse_args(arguments)
    rows = [row for row in ROWS if not asked.rows or row.number in asked.rows]
    if asked.seconds:
        rows = [with_seconds(row, asked.seconds) for row in rows]
    done = read(asked.report) if asked.resume else []
    known = {(one["row"], one["fault"], one["seed"]) for one in done}
    print(_HEAD, flush=True)
    broken, began = 0, time.monotonic()
    for figures in _runs(rows, range(1, asked.seeds + 1), known, asked.bugs):
        began, before = time.monotonic(), began
        figures.took_s = round(began - before, 1)
        print(figures.line(), flush=True)
        broken += bool(figures.broken or figures.late)
        done.append(figures.as_json())
        asked.report.write_text(json.dumps(done, indent=1) + "\n")
    if asked.report == RESULTS:
        PAGE.write_text(page_with(done))
    return min(broken, 1)


def _runs(rows: Iterable[Row], seeds: Sequence[int], known: set[tuple[int, str, int]], bugs: str) -> Iterator[Figures]:
    by_setting: dict[Setting, list[Row]] = defaultdict(list)
    for row in rows:
        by_setting[row.setting].append(row)
    with tempfile.TemporaryDirectory(prefix="botyard-faults-", ignore_cleanup_errors=True) as folder:
        for number, (setting, some) in enumerate(by_setting.items()):
            wanted = [(row, seed) for seed in seeds for row in some if (row.number, row.fault, seed) not in known]
            if wanted and bugs != "only":
                with setting.start(Path(folder) / f"yard{number}") as (yard, bots):
                    yield from (run_row(yard, bots, row, seed) for row, seed in wanted)
            planted = [(row, bug) for row in some for bug in row.bugs if (row.number, _named(bug), 1) not in known]
            for row, bug in planted if bugs != "without" else ():
                with setting.start(Path(folder) / bug, bug=bug) as (yard, bots):
                    yield _caught(run_row(yard, bots, replace(row, drain=BUG_DRAIN_SECONDS), 1), bug)


def _named(bug: str) -> str:
    return f"planted: {bug}"


def _caught(figures: Figures, bug: str) -> Figures:
    """With a planted bug a run is well when it is not."""
    figures.fault = _named(bug)
    figures.more["caught"] = float(bool(figures.broken))
    figures.broken = [] if figures.broken else ["the planted bug was not caught"]
    return figures


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__.partition("\n")[0])
    parser.add_argument("rows", nargs="*", type=int, metavar="ROW", help="only these rows")
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"runs of each row (default: {SEEDS})")
    parser.add_argument("--seconds", type=float, default=0.0, help="length of the load, instead of each row's own")
    parser.add_argument("--resume", action="store_true", help="leave out what the report has already")
    parser.add_argument("--bugs", choices=("with", "without", "only"), default="with", help="the planted bugs, too?")
    parser.add_argument("--report", type=Path, default=RESULTS, metavar="FILE", help="another file for the report")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
