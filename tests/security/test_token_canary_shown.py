"""A bot's token in what people and programs are shown: commands, pages, figures, reasons; it appears in none of it."""

import asyncio
import io
import logging
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import structlog
from telegram.ext import MessageHandler, filters
from typer.testing import CliRunner

from botyard.cli import app
from botyard.embedded import free_port, port_is_free
from botyard.errors import InputError
from botyard.settings import Settings, read_settings
from botyard.telemetry import metrics
from tests.e2e.yard import wait_until
from tests.factories import make_bot, message
from tests.integration.fake_api import FakeApi, echo, error, fake_api
from tests.integration.rig import Rig, rig
from tests.security.test_token_canary import CANARY, PIECE, TOKEN, in_redis, in_the_database, logs
from tests.services import Services, environment

COMMANDS = (
    "bot list", "bot list --json", "bot show test_bot", "bot show test_bot --json", "bot why test_bot",
    "bot why test_bot --json", "bot set test_bot", "lanes", "lanes --json", "dead list --each", "dead list --json",
    "dead show 1", "dead show 1 --json", "trace 1 --bot test_bot", "doctor", "doctor --json", "keys status",
    "keys rotate", "dead replay 1", "bot pause test_bot", "bot remove test_bot --yes",
)  # fmt: skip
MALFORMED = (
    CANARY,
    f"bot{TOKEN}",
    f"{TOKEN} x",
    f"{TOKEN}é",
    f"0{TOKEN}",
    TOKEN.replace(":", ";"),
    f":{CANARY}",
    f"x:{CANARY}",
)


def leaking(application: Any) -> None:
    """Its handlers put the bot's token into whatever may go out."""

    async def leak(update: Any, context: Any) -> None:
        token = context.bot.token
        logging.getLogger("of.a.bot").error("my token is %s", token)
        if update.effective_message.text == "cause":
            try:
                raise KeyError(token)  # noqa: TRY301 - the handler's own mistake
            except KeyError as cause:
                raise RuntimeError(f"https://api.example.org/bot{token}/x") from cause
        raise ValueError(f"cannot use {token}", {"token": token})

    application.add_handler(MessageHandler(filters.ALL, leak))


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    async with fake_api() as made:
        yield made


@pytest.fixture
async def yard(clean: Services, settings: Settings) -> AsyncIterator[Rig]:
    async with rig(clean, settings) as made:
        yield made


@pytest.fixture(autouse=True)
def own_logs_and_figures() -> Iterator[None]:
    """A command that runs in this process leaves its own logs behind."""
    yield
    structlog.reset_defaults()
    metrics.take_pending()


__all__ = ["logs"]


def shows_nothing(text: str, where: str) -> None:
    at = text.lower().find(PIECE)
    assert at < 0, f"{where}: {text[max(0, at - 200) : at + 60]}"


async def test_an_exception_of_a_bot_that_names_its_token_takes_it_nowhere(
    clean: Services, api: FakeApi, yard: Rig, logs: io.StringIO
) -> None:
    bot = make_bot(token=TOKEN, api_url=api.url, kind="tests.security.test_token_canary_shown:leaking")
    await yard.give(bot, message(1, "raise"), message(2, "cause"))
    await yard.settle(sending=False)
    assert clean.superuser("SELECT count(*) FROM dead_letters") == [(2,)]
    metrics.flush(yard.redis)
    shows_nothing(in_the_database(clean), "database")
    shows_nothing(in_redis(clean.redis_url), "redis")
    for command in COMMANDS:
        shown = CliRunner().invoke(app, command.split())
        shows_nothing(shown.output, command)
        shows_nothing(repr(shown.exception), command)
    assert "my token is" in logs.getvalue()
    shows_nothing(logs.getvalue(), "logs")


@pytest.mark.parametrize("answer", [error(401, "Unauthorized"), echo(502), error(400, f"Bad Request: /bot{TOKEN}/x")])
def test_no_command_shows_the_token_of_a_bot_that_telegram_refuses(clean: Services, answer: Any) -> None:
    started, made = threading.Event(), FakeApi()
    ended = asyncio.Event()

    async def serve() -> None:
        nonlocal made
        async with fake_api() as running:
            running.script = [answer] * 200
            made = running
            loops.append(asyncio.get_running_loop())
            started.set()
            await ended.wait()

    loops: list[asyncio.AbstractEventLoop] = []
    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert started.wait(10)
        make_bot(token=TOKEN, api_url=made.url)
        with environment({"API_URL": made.url}):
            for command in ("bot add --kind demo", *COMMANDS):
                shown = CliRunner().invoke(app, command.split(), input=f"{TOKEN}\n")
                shows_nothing(shown.output, command)
                shows_nothing(repr(shown.exception), command)
        assert TOKEN in {call.token for call in made.calls}
    finally:
        loops[0].call_soon_threadsafe(ended.set)
        thread.join(10)
    shows_nothing(in_the_database(clean), "database")
    shows_nothing(in_redis(clean.redis_url), "redis")


@pytest.mark.parametrize("token", MALFORMED)
def test_a_malformed_token_is_not_repeated_when_it_is_refused(clean: Services, token: str) -> None:
    with redirect_stderr(io.StringIO()) as told:
        shown = CliRunner().invoke(app, ["bot", "add"], input=f"{token}\n")
    assert shown.exit_code != 0
    shows_nothing(shown.output + told.getvalue() + repr(shown.exception), "bot add")
    shows_nothing(in_the_database(clean) + in_redis(clean.redis_url), "servers")


@pytest.mark.parametrize(
    "name", ["SECRET_KEY", "WEB_PORT", "PUBLIC_URL", "TEST_CHATS", "DURABILITY", "FIRST_CONTACTS", "ENVIRONMENT"]
)
def test_a_token_in_the_wrong_setting_is_not_repeated(services: Services, name: str) -> None:
    assert services
    with environment({name: TOKEN}):
        try:
            settings = read_settings()
        except InputError as refused:
            shows_nothing(str(refused) + repr(refused), name)
        else:
            shows_nothing(repr(settings), name)
        shown = CliRunner().invoke(app, ["doctor", "--json"])
        shows_nothing(shown.output, f"doctor with {name}")


@pytest.fixture
def web(clean: Services, tmp_path: Path) -> Iterator[tuple[str, Path]]:  # noqa: ARG001 - in their environment
    """A real web process: its address, and its log."""
    port, log = free_port(), tmp_path / "web.log"
    words = [str(Path(sys.executable).parent / "uvicorn"), "botyard.web:app", "--port", str(port), "--no-access-log"]
    with log.open("wb") as stream:
        process = subprocess.Popen(words, env={**os.environ, "LOG_LEVEL": "DEBUG"}, stdout=stream, stderr=stream)
    try:
        wait_until(lambda: not port_is_free("127.0.0.1", port), 40, "the web process answers")
        yield f"http://127.0.0.1:{port}", log
    finally:
        process.terminate()
        process.wait(30)


async def test_no_page_no_figure_and_no_answer_shows_a_token(
    clean: Services, api: FakeApi, yard: Rig, web: tuple[str, Path]
) -> None:
    bearer = CliRunner().invoke(app, ["admin", "token"]).stdout.strip()
    structlog.reset_defaults()
    bot = make_bot(token=TOKEN, api_url=api.url)
    await yard.give(bot, message(1, "/start"))
    await yard.settle()
    metrics.flush(yard.redis)
    assert bearer.startswith("by_")
    address, log = web
    paths = ["/health", "/ready", "/metrics", "/openapi.json", "/", f"/webhook/public-{bot.telegram_id}",
             f"/webhook/{TOKEN}", "/api/bots", f"/api/bots/{bot.id}", "/api/messages/bot-manager-stats",
             "/api/customers", "/api/customers/1", "/api/customers/my-profile", f"/api/{TOKEN}"]  # fmt: skip
    answered = set()
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {bearer}"}) as client:
        for path in paths:
            for method in ("GET", "POST", "PUT"):
                body = {"username": "canary", "botToken": TOKEN, TOKEN: 1} if method == "PUT" else {
                    "username": "canary", "botToken": f"{TOKEN}é"}  # fmt: skip
                async with client.request(method, address + path, json=body) as answer:
                    answered.add(answer.status)
                    shown = await answer.text() + repr(dict(answer.headers))
                    shows_nothing(shown.replace(path, ""), f"{method} {path}")
    assert {200, 404} <= answered
    shows_nothing(in_the_database(clean), "database")
    shows_nothing(in_redis(clean.redis_url), "redis")
    shows_nothing(log.read_text(), "the log of the web process")
