"""What docs/sizing.md reckons from what was measured."""

from typing import Any

from benchmarks import sizing


def case(name: str, value: float) -> dict[str, Any]:
    return {"name": name, "value": value}


GROUPS = {
    "through": [case("Botyard", 1_000), case("aiogram", 900)],
    "by_bots": [case("memory, 10 bots", 100 * 1024), case("memory, 10,000 bots", 110 * 1024 - 0.5)],
    "sizing": [case(sizing.PYTHON, 1.2), case(sizing.SERVERS, 0.6), case(sizing.DISK, 4.0)],
}


def test_a_yard_is_sized_by_what_an_update_costs_and_what_was_not_measured_says_so() -> None:
    lines = [line for line in sizing.page_with(GROUPS).splitlines() if line.startswith(("| 1 |", "| 10,000 |"))]
    assert lines == [
        "| 1 | 0.1 | 0.1 | 0.1 | 100 MiB | 0.1 GiB | measured |",
        "| 10,000 | 500 | 1 | 0.5 | 110 MiB | 506 GiB | measured |",
        "| 10,000 | 1,000 | 2 | 1 | 110 MiB | 1,012 GiB | measured |",
        "| 10,000 | 5,000 | 10 | 5 | 110 MiB | 5,062 GiB | arithmetic |",
    ]
