import pytest
import redis
import redis.asyncio

from botyard.mailbox.inbound import Mailboxes
from botyard.mailbox.keeping import Keeper
from tests.integration.mailbox_tools import TIMES


@pytest.fixture
def boxes(async_valkey: "redis.asyncio.Redis") -> Mailboxes:
    return Mailboxes(async_valkey, TIMES)


@pytest.fixture
def keeper(raw_valkey: "redis.Redis") -> Keeper:
    return Keeper(raw_valkey, TIMES)
