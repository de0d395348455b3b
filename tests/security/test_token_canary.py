"""A bot's token through every error path: it may appear nowhere but sealed in its own column."""

import json
import logging
import sys
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from io import StringIO
from typing import Any

import pytest
import structlog
from redis import Redis
from telegram.error import TelegramError

from botyard.bots.connection.adding import NewBot
from botyard.bots.connection.asking import Unreachable
from botyard.bots.connection.connecting import add_bot
from botyard.delivery.outbox import Row
from botyard.errors import InputError
from botyard.settings import Settings
from botyard.telegram.address import base_url
from botyard.telegram.outbox_bot import OutboxBot
from botyard.telegram.run import Lane
from botyard.telemetry.logs import configure_logs
from tests.factories import TELEGRAM_ID, make_bot, message
from tests.integration.fake_api import FakeApi, around, cut, echo, error, fake_api, half, raw, silence
from tests.integration.outbox_tools import add_row
from tests.integration.rig import Rig, rig
from tests.services import Services

CANARY = "AAHcanaryCANARYcanaryCANARYcanary35"
TOKEN = f"{TELEGRAM_ID}:{CANARY}"
PIECE = CANARY[:12].lower()
"""What is left of it when a text is cut; python-telegram-bot writes some errors in small letters."""

PATHS: dict[str, Any] = {
    "refused": "http://127.0.0.1:1",
    "an address that is none": "http://[bad",
    "redirections in a circle": around,
    "no answer in time": silence,
    "cut": cut,
    "half an answer": half,
    "401": error(401, "Unauthorized"),
    "403": error(403, "Forbidden: bot was blocked by the user"),
    "429": error(429, "Too Many Requests", retry_after=1),
    "a description with the address": error(400, f"Bad Request: cannot /bot{TOKEN}/sendMessage"),
    "a description with the address at the cut": error(400, "x" * 470 + f"/bot{TOKEN}/sendMessage"),
    "HTML that repeats the address, 200": echo(200),
    "HTML that repeats the address, 404": echo(404),
    "HTML that repeats the address, 502": echo(502),
    "rubbish": raw(500, b"\xff\0" + TOKEN.encode()),
}


@pytest.fixture(params=PATHS)
async def api(request: pytest.FixtureRequest) -> AsyncIterator[FakeApi]:
    async with fake_api() as made:
        if isinstance(PATHS[request.param], str):
            made.url = PATHS[request.param]
        else:
            made.script = [PATHS[request.param]] * 50
        yield made


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Iterator[StringIO]:
    """Everything that is logged, as a process configures it, at its most talkative."""
    root, stream = logging.getLogger(), StringIO()
    handlers, level = root.handlers[:], root.level
    monkeypatch.setattr(sys, "stderr", stream)
    configure_logs(settings.model_copy(update={"log_level": "DEBUG"}), "test")
    for name in ("telegram", "aiohttp", "httpx"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    structlog.configure(cache_logger_on_first_use=False)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
async def yard(clean: Services, settings: Settings) -> AsyncIterator[Rig]:
    async with rig(clean, settings) as made:
        yield made


def in_the_database(services: Services) -> str:
    tables = services.superuser("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    shown = [f'SELECT t::text FROM "{table}" t' for (table,) in tables]  # noqa: S608 - names of our tables
    return "\n".join(str(services.superuser(query)) for query in shown)


def in_redis(url: str) -> str:
    readers: dict[bytes, Callable[[Redis, bytes], Any]] = {
        b"string": lambda client, key: client.get(key),
        b"list": lambda client, key: client.lrange(key, 0, -1),
        b"hash": lambda client, key: client.hgetall(key),
        b"zset": lambda client, key: client.zrange(key, 0, -1),
        b"set": lambda client, key: client.smembers(key),
    }
    with Redis.from_url(url) as client:
        return "\n".join(f"{key!r} {readers[client.type(key)](client, key)!r}" for key in client.keys("*"))


def nowhere(services: Services, logs: StringIO) -> None:
    for place, text in (
        ("logs", logs.getvalue()),
        ("database", in_the_database(services)),
        ("redis", in_redis(services.redis_url)),
    ):
        at = text.lower().find(PIECE)
        assert at < 0, f"in the {place}: {text[max(0, at - 200) : at + 60]}"
        assert CANARY[:12].encode().hex() not in text, f"in the {place}, as bytes"


async def test_sending_rows_lets_no_token_out(clean: Services, api: FakeApi, yard: Rig, logs: StringIO) -> None:
    bot = make_bot(token=TOKEN, api_url=api.url)
    for chat in ("5", "6"):
        add_row(clean, bot, chat_key=chat, repeat_policy="leave" if chat == "6" else "repeat")
    for _ in range(3):
        await yard.deliver(bot)
    assert "send_failed" in logs.getvalue()
    nowhere(clean, logs)


async def test_a_handler_that_calls_telegram_lets_no_token_out(
    clean: Services, api: FakeApi, yard: Rig, logs: StringIO
) -> None:
    bot = make_bot(token=TOKEN, api_url=api.url, kind="tests.integration.kinds:asking")
    await yard.give(bot, message(1))
    await yard.settle(sending=False)
    assert clean.superuser("SELECT count(*) FROM dead_letters") == [(1,)]
    nowhere(clean, logs)


async def test_no_exception_of_a_call_repeats_the_token(api: FakeApi, yard: Rig) -> None:
    profile = {"id": TELEGRAM_ID, "is_bot": True, "first_name": "x", "username": "x_bot"}
    bot = OutboxBot(TOKEN, base_url(api.url), yard.host.request, profile)
    await bot.initialize()
    upload = bot.send_photo(5, photo=b"bytes", read_timeout=0.3)  # else an upload has two minutes
    for call in (bot.get_chat(5), upload, bot.get_file("x")):
        with pytest.raises(TelegramError) as raised:
            await call
        text = "".join(traceback.format_exception(raised.value)) + repr(raised.value) + str(raised.value)
        assert PIECE not in text.lower()


async def test_no_result_of_a_send_repeats_the_token(api: FakeApi, yard: Rig) -> None:
    row = Row(
        1, "5", None, Lane.REPLY, "sendMessage", {}, 1, 0, 0, "repeat", late=False, caused_at=None, unreachable=None
    )
    result = await yard.api.send(row, {"chat_id": 5}, api.url, TOKEN)
    assert result.verdict != "sent"
    assert PIECE not in repr(result).lower()


async def test_adding_a_bot_lets_no_token_out(
    clean: Services, api: FakeApi, yard: Rig, settings: Settings, logs: StringIO
) -> None:
    new = NewBot(token=TOKEN, kind="demo", api_url=api.url)
    with pytest.raises((InputError, Unreachable)) as refused:
        await add_bot(new, yard.host.request, settings)
    assert PIECE not in "".join(traceback.format_exception(refused.value)).lower()
    assert PIECE not in json.dumps([str(argument) for argument in refused.value.args]).lower()
    nowhere(clean, logs)


async def test_a_bot_at_work_has_its_token_sealed_and_nowhere_else(
    clean: Services, settings: Settings, logs: StringIO
) -> None:
    async with fake_api() as api, rig(clean, settings) as yard:
        bot = make_bot(token=TOKEN, api_url=api.url, kind="demo")
        await yard.give(bot, message(1, "/start"), message(2, TOKEN.replace(CANARY, "x" * 35)))
        await yard.settle()
        assert [call.token for call in api.calls] == [TOKEN, TOKEN]
        nowhere(clean, logs)


def test_no_representation_of_what_carries_a_token_shows_it(clean: Services) -> None:
    bot = make_bot(token=TOKEN)
    new = NewBot(token=TOKEN, kind="demo", api_url="http://127.0.0.1:1")
    assert PIECE not in repr(bot).lower()
    assert PIECE not in repr(new).lower(), "a dataclass shows its fields wherever it is logged"
    assert clean
