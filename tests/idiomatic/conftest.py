"""A simulator for the plain runs, and those runs, several at a time."""

import contextlib
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from botyard.dialogues import Control, Transcript
from tests.idiomatic.playing import play
from tests.idiomatic.stages import PlainStage
from tests.unit.simulator.process import Process

AT_ONCE = 4
"""Bots that run side by side: they wait more than they compute."""


@contextlib.contextmanager
def simulator() -> Iterator[str]:
    """A simulator of one's own: all dialogues have the same people, and may set the clock."""
    process = Process().wait_until_ready()
    try:
        yield process.url
    finally:
        process.stop()


@pytest.fixture(scope="module")
def control() -> Iterator[Control]:
    with simulator() as url, Control(url) as control:
        yield control


class PlainRuns:
    """Plays dialogues under plain python-telegram-bot, each once."""

    def __init__(self, folder: Path, pool: ThreadPoolExecutor) -> None:
        self._folder = folder
        self._pool = pool
        self._runs: dict[str, Future[Transcript]] = {}

    def begin(self, name: str) -> Future[Transcript]:
        """Have a dialogue played, unless it is already."""
        if name not in self._runs:
            self._runs[name] = self._pool.submit(self.again, name)
        return self._runs[name]

    def transcript(self, name: str) -> Transcript:
        """What the bot did; raises what went wrong."""
        return self.begin(name).result()

    def again(self, name: str) -> Transcript:
        """Play a dialogue, whether it was played before or not."""
        with simulator() as url, tempfile.TemporaryDirectory(dir=self._folder) as folder:
            return play(name, PlainStage(url, Path(folder)))


def chosen(request: pytest.FixtureRequest) -> list[str]:
    """The bots whose tests were chosen, of the file at hand."""
    items = (item for item in request.session.items if item.path == request.path and isinstance(item, pytest.Function))
    return sorted({str(item.callspec.params["name"]) for item in items if hasattr(item, "callspec")})


@pytest.fixture(scope="session")
def all_plain_runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlainRuns]:
    """The plain runs, each made once."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield PlainRuns(tmp_path_factory.mktemp("plain"), pool)
        pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="module")
def plain_runs(all_plain_runs: PlainRuns, request: pytest.FixtureRequest) -> PlainRuns:
    """The plain runs of all bots whose tests were chosen, begun side by side."""
    for name in chosen(request):
        all_plain_runs.begin(name)
    return all_plain_runs
