"""What every test may ask for. The servers start when the first test asks for them, once per session."""

import gc
from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any, Final

import pytest
import redis
import redis.asyncio
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

from botyard.garbage import collect_seldom
from botyard.processing.people import Acquaintances
from botyard.settings import Settings, get_settings
from db.acting import act_as
from tests import services as running
from tests.services import Services

# What such files share is made once if one process runs them one after the other: a whole yard, and the bots' runs
# under plain python-telegram-bot.
_TOGETHER: Final = {
    **dict.fromkeys(["tests/e2e/test_answers.py", "tests/e2e/test_order.py", "tests/e2e/test_watching.py"], "one yard"),
    **dict.fromkeys(["tests/idiomatic/test_plain.py", "tests/idiomatic/test_same.py"], "plain runs"),
}


class ByWhatIsShared(LoadFileScheduling):  # type: ignore[misc]
    """The tests of a file run in one process, and so do files that share what is dear to make."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return _TOGETHER.get(file, file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByWhatIsShared | None:
    """With ``--dist loadfile``."""
    return ByWhatIsShared(config, log) if config.option.dist == "loadfile" else None


def pytest_configure() -> None:
    """Half of the time in which tests are read, Python looked for garbage where there is none."""
    gc.set_threshold(50_000)


def pytest_collection_finish() -> None:
    """What was read stays."""
    collect_seldom()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Some tests log texts that no UTF-8 can hold, and workers of a test run hand on what was logged as UTF-8."""
    report = yield
    report.sections = [(name, text.encode(errors="replace").decode()) for name, text in report.sections]
    return report


@pytest.fixture(scope="session")
def services() -> Iterator[Services]:
    """One PostgreSQL and one Valkey, migrated, and in the environment."""
    with running.start() as started:
        yield started


@pytest.fixture
def clean(services: Services, monkeypatch: pytest.MonkeyPatch) -> Services:
    """The servers without rows (but the customers) and without keys."""
    services.empty()
    # Whom an earlier test has seen has no row any more; whoever acted in it does not act here.
    monkeypatch.setattr("botyard.processing.resolving.ACQUAINTANCES", Acquaintances())
    act_as("botyard")
    return services


@pytest.fixture
def settings(clean: Services) -> Settings:  # noqa: ARG001 - the settings come from their environment
    return get_settings()


@pytest.fixture
def valkey(clean: Services) -> Iterator["redis.Redis"]:
    """A client for looking into Valkey: texts come as texts."""
    with redis.Redis.from_url(clean.redis_url, decode_responses=True) as client:
        yield client


@pytest.fixture
def raw_valkey(clean: Services) -> Iterator["redis.Redis"]:
    """A client as the product's threads have it: texts come as bytes."""
    with redis.Redis.from_url(clean.redis_url) as client:
        yield client


@pytest.fixture
async def async_valkey(clean: Services) -> AsyncIterator["redis.asyncio.Redis"]:
    """A client as the product's event loops have it."""
    async with redis.asyncio.Redis.from_url(clean.redis_url) as client:
        yield client
