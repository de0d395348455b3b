"""Each bot under plain python-telegram-bot: what its author sees today."""

import pytest

from botyard.dialogues import read_dialogue
from tests.idiomatic.conftest import PlainRuns
from tests.idiomatic.playing import BOTS, NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_dialogue_of_a_bot_passes_under_plain_python_telegram_bot(name: str, plain_runs: PlainRuns) -> None:
    assert plain_runs.transcript(name).lines()


@pytest.mark.parametrize("name", ["albums", "any_data", "inline", "payments"])
def test_two_plain_runs_of_a_bot_that_is_given_ids_compare_equal(name: str, plain_runs: PlainRuns) -> None:
    assert plain_runs.transcript(name).difference(plain_runs.again(name)) == ""


def test_every_bot_has_a_dialogue_with_a_restart_in_the_middle() -> None:
    assert sorted(path.stem for path in BOTS.glob("*.py")) == NAMES
    dialogues = [read_dialogue(BOTS / f"{name}.yml") for name in NAMES]
    verbs = [[step.verb for step in dialogue.steps] for dialogue in dialogues]
    assert [name for name, said in zip(NAMES, verbs, strict=True) if "restart" not in said[3:-2]] == []
