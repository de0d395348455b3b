from collections.abc import AsyncIterator

import pytest

from botyard.settings import Settings
from tests.integration.jobs.tools import Bot
from tests.integration.rig import Rig, rig
from tests.services import Services


@pytest.fixture
async def yard(clean: Services, settings: Settings) -> AsyncIterator[Rig]:
    """A rig whose handlers have more time than others'."""
    async with rig(clean, settings, handler_timeout_seconds=5) as made:
        yield made


@pytest.fixture
def bot(yard: Rig) -> Bot:
    return Bot(yard)
