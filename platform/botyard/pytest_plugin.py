"""What pytest finds where Botyard is installed: dialogues with one's bots as tests. See docs/dialogues.md.

::

    def test_orders(play_dialogue):
        play_dialogue("mybot.py", "orders.yml")
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from botyard.dialogues import Transcript
    from botyard.running.stage import Stage


@pytest.fixture(scope="session")
def botyard_stage(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Stage]":
    """A Botyard that runs for as long as the tests do."""
    # Whoever does not use it does not wait for it.
    from botyard.running.stage import Stage  # noqa: PLC0415

    with Stage(tmp_path_factory.mktemp("botyard")) as stage:
        yield stage


@pytest.fixture
def play_dialogue(botyard_stage: "Stage") -> "Callable[[Path | str, Path | str], Transcript]":
    """Let a bot play a dialogue: ``play_dialogue(script, dialogue)``; what it did, or the test fails."""
    return botyard_stage.play
