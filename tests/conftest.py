"""What every test may ask for. The servers start when the first test asks for them, once per session."""

import gc
from collections.abc import AsyncIterator, Generator, Iterator

import pytest
import redis
import redis.asyncio

from botyard.garbage import collect_seldom
from botyard.processing.people import Acquaintances
from botyard.settings import Settings, get_settings
from db.acting import act_as
from tests import services as running
from tests.services import Services


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
