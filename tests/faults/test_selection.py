"""A selection of the campaign: what goes wrong most often, each once, and a planted bug that must be caught."""

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import pytest

from tests import rabbitmq
from tests.faults.campaign import BUG_DRAIN_SECONDS, run_row
from tests.faults.rows import ROWS
from tests.faults.settings import PLAIN
from tests.faults.yard import FaultyYard

Started = tuple[FaultyYard, list[int]]

_IN_REDIS: Final = pytest.mark.skipif(
    rabbitmq.SERVER in os.environ, reason="tickets that stand in RabbitMQ can be taken and put back by nobody"
)
SELECTED: Final = (1, 2, 3, 5, 6, 21, pytest.param(33, marks=_IN_REDIS))

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    with PLAIN.start(tmp_path_factory.mktemp("faults") / "yard") as found:
        yield found


@pytest.mark.parametrize("number", SELECTED)
def test_nothing_is_lost_doubled_or_out_of_order(number: int, started: Started) -> None:
    (row,) = [row for row in ROWS if row.number == number]
    figures = run_row(*started, row, seed=1)
    print(figures.line())
    assert figures.broken == []


def test_a_planted_bug_is_caught(tmp_path_factory: pytest.TempPathFactory) -> None:
    (row,) = [row for row in ROWS if row.number == 2]
    with PLAIN.start(tmp_path_factory.mktemp("faults") / "yard", bug="popped-when-taken") as started:
        # Much is never answered: nobody waits for it as long as for what comes late.
        figures = run_row(*started, replace(row, drain=BUG_DRAIN_SECONDS), seed=1)
    print(figures.line())
    assert figures.lost > 0
