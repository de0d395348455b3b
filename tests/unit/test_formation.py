"""What `botyard run` starts, before any of it runs."""

from pathlib import Path

import pytest

from botyard.running.formation import small_formation
from botyard.settings import Settings


@pytest.mark.parametrize(
    "settings", [{}, {"bot_token": "1:x"}, {"bot_token": "1:x", "public_url": "https://bots.example.org"}]
)
def test_updates_are_fetched_whenever_something_runs_for_a_bot_may_be_added_later(
    tmp_path: Path, settings: dict[str, str]
) -> None:
    names = [process.name for process in small_formation(Settings.model_validate(settings), tmp_path, {})]
    assert names == ["simulator", "web", "worker", "threads", "beat", "poller", "flower"]
