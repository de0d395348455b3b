"""Adding bots: what a known one keeps, how its updates come, and when the poller begins."""

import asyncio
import json
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from botyard.bots.connection import adding
from botyard.bots.connection.adding import AlreadyHere, NewBot, Registered, register_bot, replace_token
from botyard.bots.connection.asking import TokenRefused, Unreachable
from botyard.bots.connection.connecting import add_bot
from botyard.bots.overview import BotDetails, details
from botyard.bots.registry import end_leaving, polled_bots
from botyard.errors import InputError
from botyard.running.first_polled import is_needed
from botyard.settings import Settings
from botyard.telegram.request import AiohttpRequest
from tests.integration.fake_api import FakeApi, error, raw
from tests.services import Services
from tests.unit.simulator.process import Client

BOT = 4500000001
TOKEN = f"{BOT}:AAEhBOweik6ad6PsWZGUUUvE8nsXTWZl0aM"
OTHER = BOT + 1
OTHER_TOKEN = f"{OTHER}:BBB"


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
    older = "SELECT DISTINCT octet_length(column_) FROM bots, unnest(ARRAY[token_encrypted, webhook_secret_encrypted,"
    assert clean.superuser(f"{older} webhook_secret_hash]) AS column_") in ([(0,)], [(None,)])


def test_what_registers_bots_loads_nothing_that_opens_secrets_or_runs_bots() -> None:
    code = "import sys, json, botyard.bots.connection.adding; print(json.dumps(list(sys.modules)))"
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


async def test_another_system_on_the_host_that_is_ours_too_is_not_cut_off_unnamed(
    telegram: Client, settings: Settings
) -> None:
    base = "https://bots.example.org"
    await telegram.get(f"/bot{TOKEN}/setWebhook?url={base}/another-system/hook")
    said = await refused(telegram.url, settings, TOKEN, webhook_base_url=base)
    assert "updates go to bots.example.org now" in str(said)


@pytest.fixture
async def request_(telegram: Client) -> AsyncIterator[AiohttpRequest]:
    """What calls Telegram, which knows another bot besides."""
    await telegram.post("/sim/bots", token=OTHER_TOKEN, username="other_bot", name="Other")
    made = AiohttpRequest(5)
    yield made
    await made.close()
    # Whatever a test has made of it.
    await telegram.post("/sim/bots", token=TOKEN, username="own_bot", name="Own")


def together(monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Two threads begin with a step in the same moment."""
    both, original = threading.Barrier(2, timeout=10), getattr(adding, step)

    def met(*args: Any) -> Any:
        both.wait()
        return original(*args)

    monkeypatch.setattr(adding, step, met)


async def test_two_who_add_a_bot_in_the_same_moment_get_the_same_one(
    telegram: Client, settings: Settings, clean: Services, request_: AiohttpRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    together(monkeypatch, "_new_bot")
    new = NewBot(TOKEN, None, telegram.url)
    found = await asyncio.gather(*(register_bot(new, request_, settings) for _ in range(2)))
    assert found[0].id == found[1].id
    assert sorted(one.known for one in found) == [False, True]
    assert clean.superuser("SELECT type FROM events ORDER BY id") == [("bot.added",)]


async def test_of_two_bots_that_are_given_one_token_in_the_same_moment_one_gets_it(
    telegram: Client, settings: Settings, request_: AiohttpRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    third = f"{BOT + 2}:CCC"
    await telegram.post("/sim/bots", token=third, username="third_bot", name="Third")
    bots = [(await register_bot(NewBot(token, None, telegram.url), request_, settings)).id
            for token in (TOKEN, OTHER_TOKEN)]  # fmt: skip
    together(monkeypatch, "_serve_again")
    replaced = (replace_token(bot, third, request_, settings) for bot in bots)
    one, other = sorted(await asyncio.gather(*replaced, return_exceptions=True), key=lambda end: type(end).__name__)
    assert isinstance(one, AlreadyHere)
    assert isinstance(other, Registered)
    assert one.bot_id == other.id


async def moved(telegram: Client, settings: Settings, request: AiohttpRequest) -> int:
    """A bot that has become another one at Telegram; its row."""
    bot = (await register_bot(NewBot(TOKEN, None, telegram.url), request, settings)).id
    await replace_token(bot, OTHER_TOKEN, request, settings)
    return bot


async def test_what_a_bot_was_before_may_be_a_bot_of_its_owners_again_at_once(
    telegram: Client, settings: Settings, clean: Services, request_: AiohttpRequest
) -> None:
    earlier = await moved(telegram, settings, request_)
    again = await register_bot(NewBot(TOKEN, None, telegram.url, customer_id=1), request_, settings)
    assert again.id != earlier
    assert not again.known
    names = clean.superuser("SELECT bot_id, name FROM bot_secrets ORDER BY bot_id, name")
    assert names == [(earlier, f"token:{OTHER}"), (earlier, f"webhook:{OTHER}"),
                     (again.id, f"token:{BOT}"), (again.id, f"webhook:{BOT}")]  # fmt: skip
    polled = {bot.telegram_id: (bot.token.bot_id, bot.leaving) for bot in polled_bots()}
    assert polled == {BOT: (again.id, False), OTHER: (earlier, False)}


async def test_what_a_bot_was_before_is_anothers_only_when_its_day_is_over(
    telegram: Client, settings: Settings, clean: Services, request_: AiohttpRequest
) -> None:
    earlier = await moved(telegram, settings, request_)
    clean.superuser("INSERT INTO customers (id, name) VALUES (2, 'Two') ON CONFLICT DO NOTHING")
    try:
        here = await refused(telegram.url, settings, TOKEN, customer_id=2)
        assert isinstance(here, AlreadyHere)
        assert here.bot_id is None
        clean.superuser("UPDATE bot_identities SET leaving_since = now() - interval '25 hours'"
                        " WHERE leaving_since IS NOT NULL")  # fmt: skip
        added = await register_bot(NewBot(TOKEN, None, telegram.url, customer_id=2), request_, settings)
        rows = clean.superuser("SELECT telegram_id, bot_id, customer_id FROM bot_identities ORDER BY 1")
        assert rows == [(BOT, added.id, 2), (OTHER, earlier, 1)]
        here = await refused(telegram.url, settings, OTHER_TOKEN, customer_id=2)
        assert isinstance(here, AlreadyHere), "what a bot is stays its own"
    finally:
        clean.superuser("DELETE FROM bots", "DELETE FROM customers WHERE id = 2")


async def test_a_bot_may_become_what_another_of_its_owner_was(
    telegram: Client, settings: Settings, clean: Services, request_: AiohttpRequest
) -> None:
    third = f"{BOT + 2}:CCC"
    await telegram.post("/sim/bots", token=third, username="third_bot", name="Third")
    await moved(telegram, settings, request_)
    bot = (await register_bot(NewBot(third, None, telegram.url), request_, settings)).id
    await replace_token(bot, TOKEN, request_, settings)
    rows = clean.superuser("SELECT telegram_id, bot_id, leaving_since IS NOT NULL FROM bot_identities ORDER BY 1")
    assert rows == [(BOT, bot, False), (OTHER, bot - 1, False), (BOT + 2, bot, True)]
    clean.superuser(f"UPDATE bots SET removal_began = now() WHERE id = {bot}")  # noqa: S608
    assert isinstance(await refused(telegram.url, settings, third), AlreadyHere), "whoever removes it forgets both"


async def test_a_refused_token_ends_an_earlier_identity_and_never_the_present_one(
    telegram: Client, settings: Settings, clean: Services, request_: AiohttpRequest
) -> None:
    bot = await moved(telegram, settings, request_)
    (left,) = (one for one in polled_bots() if one.leaving)
    tokens = "SELECT name FROM bot_secrets WHERE name LIKE 'token:%' ORDER BY name"
    fresh = f"{BOT}:fresh"
    await telegram.post("/sim/bots", token=fresh, username="own_bot", name="Own")
    await replace_token(bot, fresh, request_, settings)
    end_leaving(left.token)
    assert clean.superuser(tokens) == [(f"token:{BOT}",), (f"token:{OTHER}",)]
    await replace_token(bot, OTHER_TOKEN, request_, settings)
    end_leaving(left.token)
    assert len(clean.superuser(tokens)) == 2, "it was another token of the earlier identity that was refused"
    (left,) = (one for one in polled_bots() if one.leaving)
    end_leaving(left.token)
    assert clean.superuser(tokens) == [(f"token:{OTHER}",)]
