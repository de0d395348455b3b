"""``make faults``: every row of the campaign, several seeds each; prints a table and writes docs/figures/faults.json.

``python -m tests.faults [ROW …] [--seeds N] [--seconds S] [--resume] [--bugs]``: single rows by their numbers; shorter
loads; what a run that was interrupted has done already is not done again; and the planted bugs, each of which must be
caught by its row.
"""

import argparse
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from tests.faults.campaign import Row, run_row, with_seconds
from tests.faults.figures import Figures
from tests.faults.rows import ROWS
from tests.faults.settings import Setting

RESULTS: Final = Path(__file__).parents[2] / "docs" / "figures" / "faults.json"
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
    done = _read() if asked.resume else []
    known = {(one["row"], one["fault"], one["seed"]) for one in done}
    print(_HEAD, flush=True)
    broken = 0
    for figures in _runs(rows, range(1, asked.seeds + 1), known, bugs=asked.bugs):
        print(figures.line(), flush=True)
        broken += bool(figures.broken or figures.late)
        done.append(figures.as_json())
        RESULTS.write_text(json.dumps(done, indent=1) + "\n")
    return min(broken, 1)


def _runs(
    rows: Iterable[Row], seeds: Iterable[int], known: set[tuple[int, str, int]], *, bugs: bool
) -> Iterator[Figures]:
    by_setting: dict[Setting, list[Row]] = defaultdict(list)
    for row in rows:
        by_setting[row.setting].append(row)
    with tempfile.TemporaryDirectory(prefix="botyard-faults-", ignore_cleanup_errors=True) as folder:
        for number, (setting, some) in enumerate(by_setting.items()):
            wanted = [(row, seed) for row in some for seed in seeds if (row.number, row.fault, seed) not in known]
            if wanted and not bugs:
                with setting.start(Path(folder) / f"yard{number}") as (yard, bots):
                    yield from (run_row(yard, bots, row, seed) for row, seed in wanted)
            for row in some:
                for bug in row.bugs if bugs else ():
                    with setting.start(Path(folder) / bug, bug=bug) as (yard, bots):
                        yield _caught(run_row(yard, bots, row, 1), bug)


def _caught(figures: Figures, bug: str) -> Figures:
    """With a planted bug a run is well when it is not."""
    figures.fault = f"planted: {bug}"
    figures.more["caught"] = float(bool(figures.broken))
    figures.broken = [] if figures.broken else ["the planted bug was not caught"]
    return figures


def _read() -> list[dict[str, Any]]:
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else []


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__.partition("\n")[0])
    parser.add_argument("rows", nargs="*", type=int, metavar="ROW", help="only these rows")
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"runs of each row (default: {SEEDS})")
    parser.add_argument("--seconds", type=float, default=0.0, help="length of the load, instead of each row's own")
    parser.add_argument("--resume", action="store_true", help="leave out what the report has already")
    parser.add_argument("--bugs", action="store_true", help="the planted bugs instead")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
