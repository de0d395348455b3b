"""``make bench``: Botyard beside its peers, in one run on one machine; docs/figures/bench.json, docs/performance.md.

``python -m benchmarks [GROUP …] [--rounds N] [--seconds S]``: only some groups of rows (see `benchmarks.table`); fewer
rounds, or shorter runs, say less, and are not written down.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from benchmarks import cases, sizes
from benchmarks.beside import beside
from benchmarks.machine import REST, pin
from benchmarks.report import keep
from benchmarks.rounds import ROUNDS, take_turns
from benchmarks.sizing import sizing
from benchmarks.stage import Stage
from benchmarks.table import HEAD, judge

GROUPS: Final = {
    group.__name__: group
    for group in (
        cases.receiving, cases.through, cases.at_a_pace, cases.sending, cases.single, sizes.weight, sizes.by_bots,
        sizes.by_chats, sizes.by_processes, sizing, beside,
    )
}  # fmt: skip
_SECONDS: Final = 5.0
_MORE_ROUNDS: Final = {"through": 7}
"""Of groups whose rows are near to what they must reach: a machine's speed may change within seconds."""


def main(arguments: list[str]) -> int:
    """Measure what is asked for; 1 when a must does not hold."""
    asked = _parser().parse_args(arguments)
    pin(os.getpid(), REST)
    found: dict[str, list[dict[str, Any]]] = {}
    with (
        tempfile.TemporaryDirectory(prefix="botyard-bench-", ignore_cleanup_errors=True) as folder,
        Stage(Path(folder), asked.seconds) as stage,
    ):
        for name in asked.groups or GROUPS:
            print(name, flush=True)
            rounds = asked.rounds or _MORE_ROUNDS.get(name, ROUNDS)
            found[name] = [one.as_json() for one in take_turns(GROUPS[name](stage), rounds)]
            if rounds >= ROUNDS and asked.seconds >= _SECONDS:
                keep({name: found[name]})
    judged = judge(found)
    print(HEAD, *(one.line() for one in judged), sep="\n")
    return int(not all(one.holds for one in judged))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition("\n")[0])
    parser.add_argument("groups", nargs="*", choices=[*GROUPS, []], metavar="GROUP", help=", ".join(GROUPS))
    parser.add_argument("--rounds", type=int, help=f"of all cases of a group (default: {ROUNDS} or more)")
    parser.add_argument("--seconds", type=float, default=_SECONDS, help=f"of one run (default: {_SECONDS:g})")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
