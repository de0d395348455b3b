"""Each bot on Botyard does what it does under plain python-telegram-bot, though all workers are killed in between."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from botyard.dialogues import Transcript
from tests.e2e.conftest import FAST
from tests.idiomatic.conftest import PlainRuns, chosen
from tests.idiomatic.playing import NAMES, play
from tests.idiomatic.yard_stage import DoubledYard, Meeting, YardStage

PATIENCE = 4.0
"""All bots are served at once, and what a killed worker had in hand waits for the end of its leases."""


@pytest.fixture(scope="module")
def runs(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[dict[str, Future[Transcript]]]:
    """All dialogues, played side by side on one yard."""
    names = chosen(request)
    with DoubledYard(tmp_path_factory.mktemp("yard"), **FAST) as yard:
        meeting = Meeting(len(names), yard.restart_workers)
        with ThreadPoolExecutor(len(names)) as pool:
            yield {name: pool.submit(play, name, YardStage(yard, meeting), patience=PATIENCE) for name in names}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", NAMES)
def test_a_bot_does_on_botyard_what_it_does_under_plain_python_telegram_bot(
    name: str, runs: dict[str, Future[Transcript]], plain_runs: PlainRuns
) -> None:
    botyard = runs[name].result()
    assert plain_runs.transcript(name).difference(botyard, ("plain", "botyard")) == ""
