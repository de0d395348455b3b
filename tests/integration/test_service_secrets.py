"""Secrets for the services that a bot uses: they reach its kind where it runs, and nothing else."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from telegram import Update
from telegram.ext import MessageHandler, filters
from typer.testing import CliRunner

from botyard.bots.configuration.configuring import configure
from botyard.bots.configuration.giving import given_to
from botyard.bots.configuration.service_secrets import list_secrets, remove_secret, set_secret
from botyard.bots.kinds import wanted_updates
from botyard.cli import app
from botyard.errors import InputError
from botyard.settings import Settings
from botyard.telemetry.logs import configure_logs
from tests.factories import make_bot, message, until
from tests.integration.fake_api import FakeApi
from tests.integration.rig import Rig
from tests.security.test_token_canary import in_redis, in_the_database
from tests.services import Services

SECRET = "sk-canary-CANARY-canary-4711"
KIND = "tests.integration.test_service_secrets:spending"
SEEN: list[dict[str, str]] = []


def spending(application: Any, secrets: Mapping[str, str]) -> None:
    SEEN.append(dict(secrets))

    async def spend(update: Any, _: Any) -> None:
        await update.effective_message.reply_text(f"{len(secrets.get('API_KEY', ''))} letters")

    application.add_handler(MessageHandler(filters.ALL, spend))


def leaky(application: Any, secrets: Mapping[str, str]) -> None:
    """Fails as libraries do."""
    assert application
    raise ValueError(f"{secrets['API_KEY']} is no good key")


def parsing(application: Any, secrets: Mapping[str, str]) -> None:
    """Takes its secret apart while it is built."""
    account = json.loads(secrets["ACCOUNT"])

    async def answer(update: Any, _: Any) -> None:
        await update.effective_message.reply_text(account["name"])

    application.add_handler(MessageHandler(filters.ALL, answer))


def broken(application: Any) -> None:
    """Breaks without any secret."""
    raise ValueError(application)


@pytest.fixture(autouse=True)
def unseen() -> None:
    SEEN.clear()


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Iterator[StringIO]:
    stream = StringIO()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stderr", stream)
        configure_logs(settings.model_copy(update={"log_level": "DEBUG"}), "test")
        yield stream


def nowhere(services: Services, *texts: str) -> None:
    for text in (in_the_database(services), in_redis(services.redis_url), *texts):
        assert SECRET not in text
        assert SECRET.encode().hex() not in text


async def test_a_secret_reaches_its_kind_and_nothing_else(
    yard: Rig, api: FakeApi, clean: Services, logs: StringIO
) -> None:
    bot = make_bot(kind=KIND, api_url=api.url)
    kept = set_secret("test_bot", "API_KEY", SECRET)
    configure("test_bot", {"features.x": True})
    await yard.give(bot, message(1))
    await yard.settle()
    assert api.texts == [f"{len(SECRET)} letters"]
    assert SEEN == [{"API_KEY": SECRET}]
    assert clean.superuser("SELECT count(*) FROM audit WHERE entity LIKE 'bot_secrets:%API_KEY'") == [(1,)]
    assert "application_built" in logs.getvalue()
    nowhere(clean, logs.getvalue(), repr(kept), repr(list_secrets("test_bot")))


async def test_a_change_of_a_secret_builds_the_application_anew(yard: Rig, api: FakeApi) -> None:
    bot = make_bot(kind=KIND, api_url=api.url)
    for number, secret in enumerate(["one", "three"]):
        set_secret("test_bot", "API_KEY", secret)
        await until(lambda: yard.manager.known_bot(bot.id) is None)
        await yard.give(bot, message(number + 1))
        await yard.settle()
    remove_secret("test_bot", "API_KEY")
    await yard.give(bot, message(3))
    await yard.settle()
    assert api.texts == ["3 letters", "5 letters", "0 letters"]


async def test_one_bots_secrets_are_not_anothers(yard: Rig, api: FakeApi) -> None:
    one, other = (make_bot(number, kind=KIND, api_url=api.url) for number in (4_200_000_001, 4_200_000_002))
    set_secret(str(one.id), "API_KEY", "mine")
    await yard.host.application(other)
    assert SEEN == [{}]


async def test_a_secret_that_was_sealed_for_another_row_is_an_error_of_that_bot(yard: Rig, clean: Services) -> None:
    one, other = (make_bot(number, kind=KIND) for number in (4_200_000_001, 4_200_000_002))
    set_secret(str(one.id), "API_KEY", SECRET)
    clean.superuser(f"UPDATE bot_secrets SET bot_id = {other.id} WHERE name = 'service:API_KEY'")  # noqa: S608
    with pytest.raises(InputError, match="SECRET_KEY: does not open service") as refused:
        await yard.host.application(other)
    assert SECRET not in str(refused.value)
    assert SEEN == []


async def test_a_kind_that_fails_beside_its_secrets_shows_none(yard: Rig, clean: Services, logs: StringIO) -> None:
    bot = make_bot(kind="tests.integration.test_service_secrets:leaky")
    set_secret("test_bot", "API_KEY", SECRET)
    served = await yard.host.bot(bot.id)
    assert served is not None
    with pytest.raises(InputError, match=r"\*\*\* is no good key"):
        await yard.host.application(served)
    assert "application_not_built" in logs.getvalue()
    nowhere(clean, logs.getvalue())


def test_names_are_listed_without_secrets_and_without_the_bots_own(settings: Settings) -> None:
    make_bot()
    assert settings
    set_secret("test_bot", "B_KEY", SECRET)
    set_secret("test_bot", "A.key-2", SECRET)
    assert [line.name for line in list_secrets("test_bot")] == ["A.key-2", "B_KEY"]


async def test_a_kind_that_takes_its_secret_apart_can_be_added_and_works(yard: Rig, api: FakeApi) -> None:
    bot = make_bot(kind="tests.integration.test_service_secrets:parsing", api_url=api.url)
    everything = sorted(map(str, Update.ALL_TYPES))
    assert wanted_updates(bot.kind) == everything, "the secret comes after the bot"
    set_secret("test_bot", "ACCOUNT", '{"name": "Ann"}')
    assert wanted_updates(bot.kind, bot.id) == everything
    await yard.give(bot, message(1))
    await yard.settle()
    assert api.texts == ["Ann"]
    with pytest.raises(InputError, match="cannot be built"):
        wanted_updates("tests.integration.test_service_secrets:broken")


@pytest.mark.parametrize("name", ["", "1a", "a b", "token:5", "a" * 65, "ä", "a\n"])
def test_what_is_no_name_is_refused(settings: Settings, name: str) -> None:
    make_bot()
    assert settings
    with pytest.raises(InputError, match="is no name"):
        set_secret("test_bot", name, SECRET)


@pytest.mark.parametrize("secret", ["", "x" * 65_537, "\ud800"])
def test_what_is_no_secret_is_refused_and_not_repeated(settings: Settings, secret: str) -> None:
    make_bot()
    assert settings
    with pytest.raises(InputError) as refused:
        set_secret("test_bot", "API_KEY", secret)
    assert not secret or secret[:5] not in str(refused.value)


def test_what_is_not_there_cannot_be_removed(settings: Settings) -> None:
    make_bot()
    assert settings
    with pytest.raises(InputError, match=r"has no secret 'API_KEY'. See `botyard bot secret list test_bot`"):
        remove_secret("test_bot", "API_KEY")


def test_the_command_reads_a_secret_from_standard_input_and_shows_none(settings: Settings, clean: Services) -> None:
    bot = make_bot()
    assert settings
    botyard = str(Path(sys.executable).parent / "botyard")
    ran = subprocess.run(
        [botyard, "bot", "secret", "set", "test_bot", "API_KEY"],
        input=f"{SECRET}\r\n\n", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert given_to(bot.id).secrets() == {"API_KEY": SECRET}, "without the ends of lines behind it"
    nowhere(clean, ran.stdout, ran.stderr)
    listed = CliRunner().invoke(app, ["bot", "secret", "list", "test_bot", "--json"], catch_exceptions=False)
    (line,) = json.loads(listed.stdout)
    assert line["name"] == "API_KEY"
    assert re.match(r"\d{4}-", line["changed_at"])
    gone = CliRunner().invoke(app, ["bot", "secret", "remove", "test_bot", "API_KEY"], catch_exceptions=False)
    assert gone.exit_code == 0
    assert list_secrets("test_bot") == []
