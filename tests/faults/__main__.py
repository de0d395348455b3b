"""``make faults``: each fault by itself, twice under load; prints a table and writes results.json."""

import sys
import tempfile
from pathlib import Path

from tests.e2e.conftest import FAST
from tests.e2e.yard import Yard
from tests.faults.campaign import FAULTS, Result, add_bots, run_fault, write


def main() -> int:
    """Run every fault; 1 when a promise was broken."""
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="botyard-faults-") as folder, Yard(Path(folder) / "yard", **FAST) as yard:
        yard.simulator.post("/sim/settings", flood=False, retry_scale=0.2)
        bots = add_bots(yard)
        print("fault                           accepted lost doubled reordered twice uncertain recovery s")
        for seed, fault in enumerate(FAULTS):
            result = run_fault(yard, bots, [fault, fault], messages=600, seconds=8, seed=seed)
            results.append(result)
            print(
                f"{result.fault:32}{result.accepted:8} {result.lost:4} {result.doubled:7} {result.reordered:9}"
                f" {result.sent_twice:5} {result.uncertain:9} {result.recovery_s:10}",
                flush=True,
            )
            write(results)
    return 0 if all(result.holds() for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
