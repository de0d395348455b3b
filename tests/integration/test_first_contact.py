"""The budget of first contacts: shared by all processes, for each Bot API apart."""

import asyncio
import time
from typing import Any

import pytest
import redis
import redis.asyncio

from botyard.bots.connection import first_contact
from botyard.bots.connection.adding import NewBot
from botyard.bots.connection.asking import Unreachable
from botyard.bots.connection.connecting import add_bot
from botyard.bots.connection.first_contact import FirstContacts
from botyard.errors import InputError
from botyard.settings import Settings, read_settings
from botyard.telegram.request import AiohttpRequest
from tests.services import environment
from tests.unit.simulator.process import TOKEN, Client

API = "https://api.telegram.org"


def contacts(client: "redis.asyncio.Redis", settings: Settings, rules: str) -> FirstContacts:
    return FirstContacts(client, settings.model_copy(update={"first_contacts": rules}))


async def test_no_more_than_so_many_in_a_minute_and_in_an_hour_whoever_asks(
    async_valkey: "redis.asyncio.Redis", raw_valkey: "redis.Redis", settings: Settings
) -> None:
    both = [contacts(async_valkey, settings, "*=3/5") for _ in range(2)]
    waits = await asyncio.gather(*(both[number % 2].permit(API) for number in range(10)))
    assert [bool(wait) for wait in waits].count(False) == 3
    assert all(59 < wait <= 60 for wait in waits if wait)

    def minutes_pass(minutes: float) -> None:
        found: Any = raw_valkey.zrange("by:first:api.telegram.org", 0, -1, withscores=True)
        for name, at in found:
            raw_valkey.zadd("by:first:api.telegram.org", {name: at - minutes * 60_000})

    minutes_pass(1.1)
    assert [bool(await both[0].permit(API)) for _ in range(3)] == [False, False, True]
    minutes_pass(1.1)
    assert 3400 < await both[1].permit(API) < 3600, "the hour's are used up"
    minutes_pass(60)
    assert await both[1].permit(API) == 0


async def test_each_bot_api_has_its_own_budget_and_those_of_this_machine_none_unless_named(
    async_valkey: "redis.asyncio.Redis", settings: Settings
) -> None:
    rules = contacts(async_valkey, settings, "*=1/9, free.example=0/0, 127.0.0.1=2/0")
    assert [bool(await rules.permit(API)) for _ in range(2)] == [False, True]
    assert not await rules.permit("https://other.example")
    assert not any([await rules.permit("https://free.example") for _ in range(5)])
    assert not any([await rules.permit("http://localhost:8081") for _ in range(5)])
    assert [bool(await rules.permit("http://127.0.0.1:8081")) for _ in range(3)] == [False, False, True]


@pytest.mark.parametrize("rules", ["20", "*=20", "*=a/b", "*=-1/5", "=1/2", "*=1/2;x=1/2"])
def test_rules_that_are_none_are_refused(settings: Settings, rules: str) -> None:
    assert settings
    with environment({"FIRST_CONTACTS": rules}), pytest.raises(InputError, match="must be rules like"):
        read_settings()


async def test_who_adds_a_bot_waits_a_moment_and_is_told_when_else(
    client: Client, settings: Settings, raw_valkey: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    limited = settings.model_copy(update={"first_contacts": "127.0.0.1=1/9"})
    request = AiohttpRequest(5)
    try:
        now = time.time() * 1000
        raw_valkey.zadd("by:first:127.0.0.1", {"somebody": now - 59_500})
        await add_bot(NewBot(TOKEN, None, client.url), request, limited)
        assert time.time() * 1000 - now >= 450
        # Telegram has just answered for it: no permit is needed.
        await add_bot(NewBot(TOKEN, None, client.url), request, limited)
        monkeypatch.setattr(first_contact, "PATIENCE_SECONDS", 0.2)
        await client.post("/sim/bots", token="4200000009:AAAA", username="next_bot", name="Next")
        with pytest.raises(Unreachable, match=r"Too many bots .* try again in [56][0-9] s") as told:
            await add_bot(NewBot("4200000009:AAAA", None, client.url), request, limited)
        assert told.value.retry_after
        assert [call["method"] for call in await client.events("call")].count("getMe") == 2
    finally:
        await request.close()
