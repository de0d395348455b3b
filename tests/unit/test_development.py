"""What `make dev` watches: the platform's own code, and that of the bot of BOT_KIND wherever it stands."""

import asyncio
from pathlib import Path

import pytest

from botyard.running.development import ROOT, Development, affected, code_of

OF_BOTS = {"worker", "threads", "poller", "bot"}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a bot in a file and another one in a package."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mybot.py").write_text("raise RuntimeError('looking for it must not run it')")
    (tmp_path / "my_bots").mkdir()
    (tmp_path / "my_bots" / "__init__.py").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("kind", "place"), [("mybot:build", "mybot.py"), ("my_bots.shop:build", "my_bots"), ("gone:build", None)]
)
def test_the_code_of_a_kind_is_found_without_running_it(project: Path, kind: str, place: str | None) -> None:
    assert code_of(kind) == (None if place is None else project / place)


def test_the_code_of_an_installed_kind_is_found_too_and_watched_once() -> None:
    assert code_of("demo") == ROOT / "bots"
    assert Development(Path(), {}, "demo", print).greeting() == [
        "Watching bots, platform, tasks, db, celeryconfig.py for changes."
    ]


def test_a_change_of_the_bots_own_file_restarts_what_a_change_in_bots_does(project: Path) -> None:
    assert affected([ROOT / "bots" / "demo" / "handlers.py"]) == OF_BOTS
    assert affected([project / "mybot.py"], code_of("mybot:build")) == OF_BOTS
    assert affected([project / "my_bots" / "shop.py"], code_of("my_bots.shop:build")) == OF_BOTS
    assert "prepare" in affected([ROOT / "db" / "engine.py"], project)


def test_code_that_is_not_watched_is_named_at_the_start(project: Path) -> None:
    lines = Development(project, {}, "gone:build", print).greeting()
    assert lines[1:] == ["The code of gone:build was not found: after a change of it, start `make dev` again."]


async def test_a_file_beside_the_code_is_watched_also_when_an_editor_replaces_it(project: Path) -> None:
    development = Development(project, {}, "mybot:build", print)
    assert str(project / "mybot.py") in development.greeting()[0]
    await development.watch()
    for _ in range(2):
        (project / "other.py").touch()
        (project / "draft").write_text("new")
        (project / "draft").replace(project / "mybot.py")
        async with asyncio.timeout(10):
            assert await development.changed() == [project / "mybot.py"]
