"""``python -m tests.model``: explore every configuration, then hunt the planted bugs."""

from __future__ import annotations

import argparse
import resource
import sys
import time

from tests.model.configurations import FULL, PLANTED, QUICK, run, setup_of
from tests.model.explorer import Result


def main() -> int:
    """Run what was asked for; 1 if an invariant broke, or a planted bug was not caught by its own."""
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small configurations, and the planted bugs")
    parser.add_argument("--only", default="", help="part of the name of a configuration or of a planted bug")
    parser.add_argument("--trace", action="store_true", help="print the shortest way to each violation")
    wanted = parser.parse_args()
    began, states, wrong = time.perf_counter(), 0, 0
    print("Nothing may break:")
    for name in QUICK if wanted.quick else {**QUICK, **FULL}:
        if wanted.only in name:
            result = run(setup_of(name))
            states, wrong = states + result.states, wrong + bool(result.problem)
            _tell(name, result, result.problem, fine=not result.problem, trace=wanted.trace)
    print("Each planted bug must be caught:")
    for planted in PLANTED:
        if (planted.quick or not wanted.quick) and (wanted.only in planted.bug or wanted.only in planted.where):
            result = run(setup_of(planted.where, planted.bug))
            fine = result.invariant == planted.invariant
            states, wrong = states + result.states, wrong + (not fine)
            note = f"{result.problem or 'NOT CAUGHT'} [{len(result.trace)} steps; {planted.where}]"
            _tell(planted.bug or planted.words, result, note, fine=fine, trace=wanted.trace)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{states:,} states, {time.perf_counter() - began:.0f} s, {memory:.1f} GB at most, {wrong} unexpected")
    return 1 if wrong else 0


def _tell(name: str, result: Result, note: str, *, fine: bool, trace: bool) -> None:
    print(
        f"{'ok ' if fine else 'BAD'} {name:54} {result.states:>10,} states {result.edges:>11,} steps"
        f"  depth {result.depth:>2} {result.seconds:7.1f} s  {note}",
        flush=True,
    )
    if trace or not fine:
        for step in result.trace:
            print("       ", step)


if __name__ == "__main__":
    sys.exit(main())
