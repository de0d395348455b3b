"""Adding bots: what a known one keeps, how its updates come, and when the poller begins."""

import json
import os
import pickle
import subprocess
import sys
from typing import Any

import pytest

from botyard.bots.adding import AlreadyHere, register_bot
from botyard.bots.asking import TokenRefused
from botyard.bots.overview import BotDetails, details
from botyard.bots.services import NewBot, Unreachable, add_bot
from botyard.errors import InputError
from botyard.running.first_polled import is_needed
from botyard.settings import Settings
from botyard.telegram.request import AiohttpRequest
from tests.integration.fake_api import FakeApi, error, raw
from tests.services import Services
from tests.unit.simulator.process import Client

BOT = 4500000001
TOKEN = f"{BOT}:AAEhBOweik6ad6PsWZGUUUvE8nsXTWZl0aM"


@pytest.fixture
async def telegram(client: Client) -> Client:
    """Knows the bot that is added, which nobody has connected yet."""
    await client.post("/sim/bots", token=TOKEN, username="own_bot", name="Own")
    await client.get(f"/bot{TOKEN}/deleteWebhook")
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


async def refused(api_url: str, settings: Settings, token: str, **changes: Any) -> Exception:
    request = AiohttpRequest(5)
    try:
        with pytest.raises((InputError, Unreachable)) as error:
            await register_bot(NewBot(token, None, api_url, **changes), request, settings)
    finally:
        await request.close()
    assert token not in str(error.value)
    return error.value


async def test_a_token_that_was_revoked_one_that_never_was_and_one_that_cannot_be_are_told_apart(
    telegram: Client, settings: Settings, api: FakeApi
) -> None:
    revoked = await refused(telegram.url, settings, f"{BOT}:another")
    assert isinstance(revoked, TokenRefused)
    assert "it was revoked, or its bot was deleted" in str(revoked)
    api.script = [error(404, "Not Found")]
    never = await refused(api.url, settings, TOKEN)
    assert isinstance(never, TokenRefused)
    assert "no bot has such a one" in str(never)
    assert "has no colon" in str(await refused(api.url, settings, "hello"))
    # A page that is not the Bot API's says nothing about a token.
    api.script = [raw(404, b"<html>nginx</html>")]
    assert isinstance(await refused(api.url, settings, TOKEN), Unreachable)


async def test_who_may_not_see_a_bot_is_told_only_that_it_is_here(
    telegram: Client, settings: Settings, clean: Services
) -> None:
    bot = await added(telegram, settings)
    clean.superuser("INSERT INTO customers (id, name) VALUES (2, 'Two') ON CONFLICT DO NOTHING")
    try:
        others = await refused(telegram.url, settings, TOKEN, customer_id=2)
        assert isinstance(others, AlreadyHere)
        assert others.bot_id is None
        assert "own_bot" not in str(others)
        assert str(bot.id) not in str(others).replace(str(BOT), "")
        own = await refused(telegram.url, settings, TOKEN, customer_id=1, again=False)
        assert isinstance(own, AlreadyHere)
        assert own.bot_id == bot.id
        assert pickle.loads(pickle.dumps(own)).bot_id == bot.id  # noqa: S301 - our own
        assert clean.superuser("SELECT count(*) FROM events") == [(1,)], "it was added, and nothing since"
    finally:
        clean.superuser("DELETE FROM customers WHERE id = 2")


async def test_registering_opens_nothing_and_a_known_bots_earlier_secret_stays_valid(
    telegram: Client, settings: Settings, clean: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = "http://127.0.0.1:9"
    await added(telegram, settings, webhook_base_url=base)
    ((before,),) = clean.superuser("SELECT secret_hash FROM bot_identities")
    monkeypatch.setattr("botyard.vault.keys.Keyring.find", None)
    request = AiohttpRequest(5)
    try:
        registered = await register_bot(NewBot(TOKEN, None, telegram.url, webhook_base_url=base), request, settings)
    finally:
        await request.close()
    assert registered.known
    rows = clean.superuser("SELECT previous_secret_hash, previous_until, secret_hash <> previous_secret_hash"
                           " FROM bot_identities")  # fmt: skip
    assert rows == [(before, None, True)]
    names = clean.superuser("SELECT name FROM bot_secrets ORDER BY name")
    assert names == [(f"token:{BOT}",), (f"webhook:{BOT}",)]
    assert clean.superuser("SELECT token_encrypted, webhook_secret_encrypted, webhook_secret_hash FROM bots") == [
        (None, None, None)
    ]


def test_what_registers_bots_loads_nothing_that_opens_secrets_or_runs_bots() -> None:
    code = "import sys, json, botyard.bots.adding; print(json.dumps(list(sys.modules)))"
    environment = {**os.environ, "REDIS_URL": "redis://127.0.0.1:1/0"}
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert set(json.loads(ran.stdout)) & {"botyard.vault.opening", "botyard.hosting", "telegram.ext", "bots"} == set()


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
