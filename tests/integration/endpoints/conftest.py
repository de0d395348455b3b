from collections.abc import AsyncIterator, Iterator

import pytest

from botyard.endpoints.sending import Sender
from tests.integration.endpoints.receiver import Receiver, receiving, sending
from tests.services import Services, environment


@pytest.fixture(autouse=True)
def open_loopback(clean: Services) -> Iterator[None]:  # noqa: ARG001 - the rows come into the emptied database
    """An operator who opens this machine."""
    with environment({"OUTBOUND_ALLOWED": "127.0.0.1"}):
        yield


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    async with sending() as made:
        yield made
