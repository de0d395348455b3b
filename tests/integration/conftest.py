from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import aiohttp
import pytest
import redis
import redis.asyncio
import structlog

from botyard.mailbox.inbound import Mailboxes
from botyard.mailbox.keeping import Keeper
from botyard.settings import Settings
from botyard.telemetry import logs
from tests.integration.fake_api import FakeApi, fake_api
from tests.integration.mailbox_tools import TIMES
from tests.integration.own_scripts import Write, written
from tests.integration.rig import Rig, rig
from tests.services import Services
from tests.unit.simulator.process import Client, Process


@pytest.fixture(autouse=True)
def own_logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A command that runs in this process writes its logs to the standard error it finds, which a test takes away.

    Nor does a logger stay as the test before it had it: the next one would look for its lines in vain.
    """
    monkeypatch.setattr(logs, "_LOGGERS_STAY", False)
    yield
    structlog.reset_defaults()


@pytest.fixture
def boxes(async_valkey: "redis.asyncio.Redis") -> Mailboxes:
    return Mailboxes(async_valkey, TIMES)


@pytest.fixture
def keeper(raw_valkey: "redis.Redis") -> Keeper:
    return Keeper(raw_valkey, TIMES)


@pytest.fixture
async def yard(clean: Services, settings: Settings) -> AsyncIterator[Rig]:
    """Everything that a worker process has."""
    async with rig(clean, settings) as made:
        yield made


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    """A Bot API that answers as it is told."""
    async with fake_api() as made:
        yield made


@pytest.fixture
def script(clean: Services, api: FakeApi, tmp_path: Path) -> Write:  # noqa: ARG001 - the row goes into the emptied database
    """Write a script that is a bot."""
    return partial(written, tmp_path, api)


@pytest.fixture(scope="module")
def process() -> Iterator[Process]:
    """A simulator of the test file's own."""
    started = Process().wait_until_ready()
    yield started
    started.stop()


@pytest.fixture
async def client(process: Process) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession() as session:
        client = Client(process.url, session)
        await client.prepare()
        defaults = {"retry_scale": 1, "redeliver": 0, "late": 0, "late_seconds": 2, "flood": True}
        await client.post("/sim/settings", **defaults)
        yield client
        await client.call("deleteWebhook", drop_pending_updates=True)
        await client.post("/sim/faults", fault="off")
        await client.post("/sim/history/reset")
