"""Calls that go to Telegram at once keep to the limits, and what Telegram refuses is closed for them as well."""

from collections.abc import AsyncIterator

import pytest
from telegram.error import RetryAfter

from botyard.bots.registry import ServedBot
from botyard.direct_calls import DirectCalls
from botyard.limiter import Permission
from botyard.settings import Settings
from tests.factories import make_bot, message
from tests.integration.fake_api import FakeApi, error
from tests.integration.rig import Rig, rig
from tests.services import Services


@pytest.fixture
async def yard(clean: Services, settings: Settings) -> AsyncIterator[Rig]:
    async with rig(
        clean, settings, limit_group_per_minute=1, limit_private_burst=1, limit_private_per_second=5.0
    ) as made:
        yield made


@pytest.fixture
def bot(clean: Services, api: FakeApi) -> ServedBot:  # noqa: ARG001 - the row goes into the emptied database
    return make_bot(kind="tests.integration.kinds:asking_polls", api_url=api.url)


async def made(yard: Rig, bot: ServedBot, chat: int, method: str = "sendPoll") -> str:
    async def call() -> str:
        return "made"

    return await DirectCalls(yard.host.limiter, bot, yard.host.database).make(method, {"chat_id": chat}, call)


async def test_a_call_waits_for_its_permit_and_shares_the_chats_budget(yard: Rig, bot: ServedBot) -> None:
    assert await made(yard, bot, 5) == "made"
    (next_permit,) = await yard.host.limiter.reserve(bot.id, [Permission("5", "m")])
    assert next_permit.wait > 0.1
    assert await made(yard, bot, 5) == "made"


async def test_a_call_that_would_wait_too_long_is_refused_as_telegram_would(yard: Rig, bot: ServedBot) -> None:
    await made(yard, bot, -5)
    with pytest.raises(RetryAfter):
        await made(yard, bot, -5)


async def test_what_only_asks_needs_no_permit(yard: Rig, bot: ServedBot) -> None:
    await yard.host.limiter.close(1, "5", 60)
    assert await made(yard, bot, 5, "getChat") == "made"


async def test_a_429_to_a_handlers_call_closes_the_chat_for_all(yard: Rig, api: FakeApi, bot: ServedBot) -> None:
    api.script = [error(429, "Too Many Requests: retry after 60", retry_after=60)]
    await yard.give(bot, message(1, "ask", chat_id=5))
    await yard.settle(sending=False, seconds=30)
    (closed,) = await yard.host.limiter.reserve(bot.id, [Permission("5", "")])
    assert closed.wait > 30
