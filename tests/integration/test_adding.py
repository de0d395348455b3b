"""Adding bots: what a known one keeps, how its updates come, and when the poller begins."""

from typing import Any

import pytest

from botyard.bots.overview import BotDetails, details
from botyard.bots.services import NewBot, add_bot
from botyard.running.first_polled import is_needed
from botyard.settings import Settings
from botyard.telegram.request import AiohttpRequest
from tests.services import Services
from tests.unit.simulator.process import Client

BOT = 4500000001
TOKEN = f"{BOT}:AAEhBOweik6ad6PsWZGUUUvE8nsXTWZl0aM"


@pytest.fixture
async def telegram(client: Client) -> Client:
    """Knows the bot that is added."""
    await client.post("/sim/bots", token=TOKEN, username="own_bot", name="Own")
    return client


async def added(client: Client, settings: Settings, kind: str | None = None, **changes: Any) -> BotDetails:
    request = AiohttpRequest(5)
    try:
        await add_bot(NewBot(TOKEN, kind, client.url, **changes), request, settings)
    finally:
        await request.close()
    return details(str(BOT), settings)


async def test_a_new_bot_of_which_nothing_is_said_is_a_demo_bot_among_the_slow_ones(
    telegram: Client, settings: Settings
) -> None:
    bot = await added(telegram, settings)
    assert (bot.kind, bot.queue, bot.intake) == ("demo", "slow", "polling")


async def test_a_known_bot_keeps_its_kind_and_its_queue_unless_others_are_given(
    telegram: Client, settings: Settings
) -> None:
    await added(telegram, settings, "tests.e2e.bots:echo_of_members", queue="updates")
    kept = await added(telegram, settings)
    assert (kept.kind, kept.queue) == ("tests.e2e.bots:echo_of_members", "updates")
    given = await added(telegram, settings, "demo", queue="slow")
    assert (given.kind, given.queue) == ("demo", "slow")


async def test_telegram_is_asked_for_what_the_kept_kind_takes(telegram: Client, settings: Settings) -> None:
    base = "http://127.0.0.1:9"
    await added(telegram, settings, "tests.e2e.bots:echo_of_members", webhook_base_url=base)
    await added(telegram, settings, webhook_base_url=base)
    info = await telegram.get(f"/bot{TOKEN}/getWebhookInfo")
    assert info["result"]["allowed_updates"] == ["chat_member", "my_chat_member"]


async def test_the_poller_is_loaded_once_there_is_a_bot_to_poll_or_nobody_can_say(
    telegram: Client, settings: Settings, clean: Services
) -> None:
    assert not is_needed(settings)
    await added(telegram, settings, webhook_base_url="http://127.0.0.1:9")
    assert not is_needed(settings)
    await added(telegram, settings)
    assert is_needed(settings)
    away = settings.model_copy(update={"database_system_url": "postgresql://127.0.0.1:1/x"})
    assert clean
    assert is_needed(away)
