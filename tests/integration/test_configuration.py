"""Configuring bots: versions, conflicts, ways back; and what a bot's handlers see of it."""

import json
import re
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
import redis
from telegram.ext import MessageHandler, MessageReactionHandler, filters
from typer.testing import CliRunner

from botyard.bots import registry
from botyard.bots.configuration.configuring import (
    ConfigurationConflict,
    Configured,
    configuration_of,
    configure,
    history,
    roll_back,
)
from botyard.bots.configuration.giving import given_to
from botyard.bots.configuration.model import UNSET, difference
from botyard.bots.kinds import wanted_updates
from botyard.bots.queues import change_queue
from botyard.bots.registry import ServedBot
from botyard.cli import app
from botyard.errors import InputError
from botyard.manager import BotManager
from botyard.settings import Settings
from botyard.sync import SyncService
from botyard.telegram.kind_shapes import SettingsMisfit
from botyard.telegram.loading import find_shape
from db.acting import acting_as
from tests.factories import TOKEN, make_bot, message, until
from tests.integration.fake_api import FakeApi
from tests.integration.rig import Rig
from tests.services import Services

pytestmark = pytest.mark.usefixtures("clean")

GREETER = "tests.integration.test_configuration:greeter"
NEEDY = "tests.integration.test_configuration:needy"


@dataclass(frozen=True)
class Greeting:
    word: str = "Hi"
    times: int = 1


def greeter(application: Any, settings: Greeting, features: Mapping[str, bool]) -> None:
    async def greet(update: Any, _: Any) -> None:
        text = " ".join([settings.word] * settings.times)
        await update.effective_message.reply_text(text.upper() if features.get("loud") else text)

    application.add_handler(MessageHandler(filters.ALL, greet))
    if features.get("reactions"):
        application.add_handler(MessageReactionHandler(greet))


@dataclass(frozen=True)
class Need:
    city: str


def needy(application: Any, settings: Need) -> None:
    greeter(application, Greeting(settings.city), {})


def set_up(name: str, **changes: Any) -> Configured:
    """Change settings as the command does, with the kind at hand."""
    shape = find_shape(configuration_of(name).kind)
    return configure(name, {key.replace("__", "."): value for key, value in changes.items()}, shape=shape)


@pytest.fixture
async def elsewhere(yard: Rig, clean: Services) -> AsyncIterator[Rig]:
    """A worker that learns of changes as another process does."""
    sync = SyncService(redis.Redis.from_url(clean.redis_url, socket_timeout=2, socket_connect_timeout=2))
    yard.host._manager = BotManager(sync, yard.redis)
    sync.start()
    await until(lambda: sync.is_watching)
    yield yard
    sync.stop()


async def answer(yard: Rig, api: FakeApi, bot: ServedBot, number: int) -> str:
    await yard.give(bot, message(number))
    await yard.settle()
    return api.texts[-1]


def test_a_bot_that_nobody_configured_has_number_0_and_the_defaults(settings: Settings) -> None:
    make_bot(queue="slow")
    found = configuration_of("test_bot")
    assert settings
    assert (found.number, found.configuration.stored, found.queue, found.kind) == (0, {}, "slow", "demo")
    assert history("test_bot") == []


def test_choices_are_kept_served_and_routed(valkey: "redis.Redis") -> None:
    bot = make_bot(queue="slow")
    wanted = {
        "answer_callbacks": False, "repeat_uncertain": False, "sends": "direct", "retry": False, "forget_after": 60,
        "queue": "updates", "share": 3,
    }  # fmt: skip
    done = configure("test_bot", wanted)
    assert (done.number, done.configuration.stored, done.queue) == (1, wanted, "updates")
    served = registry.find(bot.id)
    assert served is not None
    assert (served.answers_callbacks, served.repeats, served.queue) == (False, False, "updates")
    assert (served.sends_directly, served.retries, served.forgets_after) == (True, False, 60)
    assert served.config_version == bot.config_version + 1
    routed = valkey.hmget(f"by:bot:{bot.telegram_id}", ["queue", "share", "version"])
    assert routed == ["updates", "3", str(served.config_version)]
    back = configure("test_bot", {"queue": "auto", "share": 0})
    assert (back.configuration.queue, back.configuration.share, back.queue) == ("auto", None, "updates")
    assert valkey.hmget(f"by:bot:{bot.telegram_id}", ["queue", "share"]) == ["updates", None]


def test_every_change_is_a_version_that_says_who_when_and_why(clean: Services) -> None:
    make_bot(kind=GREETER)
    with acting_as("person:12"):
        set_up("test_bot", settings__word="Ho", retry=False)
    with acting_as("botyard"):
        configure("test_bot", {"features.loud": True}, note="they are deaf")
    newest, first = history("test_bot")
    assert (first.number, first.actor, first.note) == (1, "person:12", None)
    assert (newest.number, newest.note) == (2, "they are deaf")
    assert newest.at >= first.at
    assert difference(first.configuration, newest.configuration) == {"features.loud": (None, True)}
    assert newest.configuration == {"settings": {"word": "Ho"}, "retry": False, "features": {"loud": True}}
    events = clean.superuser("SELECT actor, data->>'number' FROM events WHERE type = 'bot.configured' ORDER BY id")
    assert events == [("person:12", "1"), ("botyard", "2")]


def test_what_changes_nothing_is_no_version() -> None:
    bot = make_bot()
    configure("test_bot", {"retry": False})
    assert configure("test_bot", {"retry": "off", "share": 0, "features.x": UNSET}).number == 1
    served = registry.find(bot.id)
    assert served is not None
    assert served.config_version == bot.config_version + 1


def test_a_bot_goes_back_to_any_version_and_the_way_is_kept() -> None:
    make_bot(kind=GREETER)
    first = set_up("test_bot", settings__word="Ho", settings__times=2)
    set_up("test_bot", settings__word="Hu", settings__times=UNSET, retry=False)
    back = roll_back("test_bot", 1, shape=find_shape(GREETER))
    assert (back.number, back.configuration) == (3, first.configuration)
    assert [version.note for version in history("test_bot")] == ["As number 1 was.", None, None]
    assert roll_back("test_bot", 0, shape=find_shape(GREETER)).configuration.stored == {}
    with pytest.raises(InputError, match=r"no configuration 9 of @test_bot. See `botyard bot history test_bot`"):
        roll_back("test_bot", 9)


def test_what_its_kind_does_not_take_any_more_is_not_gone_back_to(clean: Services) -> None:
    make_bot(kind=GREETER)
    set_up("test_bot", settings__word="Ho")
    roll_back("test_bot", 0, shape=find_shape(GREETER))
    clean.superuser(f"UPDATE bots SET kind = '{NEEDY}'")  # noqa: S608
    with pytest.raises(SettingsMisfit, match=r"settings.word|settings.city"):
        roll_back("test_bot", 1, shape=find_shape(NEEDY))
    assert configuration_of("test_bot").number == 2


def test_settings_are_checked_when_they_are_set() -> None:
    make_bot(kind=GREETER)
    with pytest.raises(SettingsMisfit, match=r"settings.times: .* valid integer.* bot schema"):
        set_up("test_bot", settings__times="many")
    with pytest.raises(InputError, match=r"settings.word: holds what looks like a token"):
        set_up("test_bot", settings__word=TOKEN)
    with pytest.raises(InputError, match="settings: are checked by the bot's kind"):
        configure("test_bot", {"settings.word": "Ho"})
    assert configuration_of("test_bot").number == 0
    assert configure("test_bot", {"features.loud": True}).number == 1, "what no kind checks needs none"


def test_settings_that_were_checked_by_another_kind_are_a_conflict(clean: Services) -> None:
    make_bot(kind=GREETER)
    clean.superuser(f"UPDATE bots SET kind = '{NEEDY}'")  # noqa: S608
    with pytest.raises(ConfigurationConflict, match="is of the kind"):
        configure("test_bot", {"settings.word": "Ho"}, shape=find_shape(GREETER))


def test_who_changes_what_they_have_not_seen_is_told() -> None:
    make_bot()
    configure("test_bot", {"retry": False}, expected=0)
    with pytest.raises(ConfigurationConflict, match="is number 1 by now, not 0"):
        configure("test_bot", {"retry": True}, expected=0)
    with pytest.raises(ConfigurationConflict):
        roll_back("test_bot", 0, expected=0)
    assert configuration_of("test_bot").configuration.retry is False


def test_changes_at_the_same_moment_lose_nothing() -> None:
    bot = make_bot()
    names = [f"f{number}" for number in range(24)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda name: configure("test_bot", {f"features.{name}": True}), names))
    assert configuration_of("test_bot").configuration.features == dict.fromkeys(names, True)
    assert [version.number for version in history("test_bot")] == list(range(24, 0, -1))
    served = registry.find(bot.id)
    assert served is not None
    assert served.config_version == bot.config_version + 24


def test_only_one_of_two_who_saw_the_same_version_succeeds() -> None:
    make_bot()

    def attempt(number: int) -> bool:
        try:
            configure("test_bot", {"forget_after": number}, expected=0)
        except ConfigurationConflict:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(attempt, range(1, 9))) == 1
    assert configuration_of("test_bot").number == 1


def test_what_was_changed_elsewhere_is_a_version_before_the_next_one(clean: Services) -> None:
    make_bot(queue="slow")
    clean.superuser("""UPDATE bots SET settings = '{"queue": "slow", "retry": false}', share = 2""")
    done = configure("test_bot", {"retry": UNSET})
    assert done.number == 2
    first = history("test_bot")[1]
    assert (first.actor, first.configuration) == ("botyard", {"queue": "slow", "retry": False, "share": 2})
    assert configure("test_bot", {"share": 0}).number == 3, "and only what really was"


def test_what_a_bots_pace_does_is_no_configuration() -> None:
    bot = make_bot(queue="updates")
    configure("test_bot", {"retry": False})
    assert change_queue(bot.id, "slow", "slow")
    done = configure("test_bot", {"retry": UNSET, "features.x": True})
    assert (done.number, done.queue, done.configuration.queue) == (2, "slow", "auto")
    assert not change_queue(bot.id, "updates", "quick"), "it is remembered when it was slow"


def test_broken_choices_in_a_row_are_named_and_can_be_mended(clean: Services) -> None:
    make_bot()
    clean.superuser("""UPDATE bots SET settings = '{"sends": "never"}'""")
    with pytest.raises(InputError, match=r"^sends: .* `botyard bot configure BOT sends=`"):
        configuration_of("test_bot")
    assert configure("test_bot", {"sends": UNSET}).configuration.sends == "outbox"


def test_a_bot_that_is_being_removed_or_is_not_there_is_not_configured(clean: Services) -> None:
    make_bot()
    clean.superuser("UPDATE bots SET removal_began = now()")
    with pytest.raises(InputError, match="being removed"):
        configure("test_bot", {"retry": False})
    with pytest.raises(InputError, match="there is no bot"):
        configure("nobody", {})


def test_its_versions_go_with_a_bot(clean: Services) -> None:
    make_bot()
    configure("test_bot", {"retry": False})
    clean.superuser("DELETE FROM bot_identities", "DELETE FROM bots")
    assert clean.superuser("SELECT count(*) FROM bot_configurations") == [(0,)]


async def test_a_change_is_in_use_in_another_process_a_moment_later(elsewhere: Rig, api: FakeApi) -> None:
    bot = make_bot(kind=GREETER, api_url=api.url)
    assert await answer(elsewhere, api, bot, 1) == "Hi"
    set_up("test_bot", settings__word="Ho", settings__times=2, features__loud=True)
    manager = elsewhere.host._manager
    await until(lambda: manager.known_bot(bot.id) is None)
    assert await answer(elsewhere, api, bot, 2) == "HO HO"
    roll_back("test_bot", 0, shape=find_shape(GREETER))
    await until(lambda: manager.known_bot(bot.id) is None)
    assert await answer(elsewhere, api, bot, 3) == "Hi"


async def test_settings_that_do_not_fit_any_more_are_one_error_of_that_bot(
    yard: Rig, api: FakeApi, clean: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    bot = make_bot(kind=NEEDY, api_url=api.url)
    neighbour = make_bot(4_200_000_002, kind=GREETER, api_url=api.url)
    served = [await yard.host.bot(one.id) for one in (bot, neighbour)]
    assert served[0] is not None
    assert served[1] is not None
    for _ in range(3):
        with pytest.raises(InputError, match=r"settings.city: is missing. `botyard bot schema BOT`"):
            await yard.host.application(served[0])
    assert capsys.readouterr().out.count("application_not_built") == 1
    assert await yard.host.application(served[1])
    set_up(str(bot.id), settings__city="Rome")
    assert await answer(yard, api, bot, 1) == "Rome"
    assert clean


async def test_a_row_that_is_no_configuration_is_an_error_of_that_bot(yard: Rig, clean: Services) -> None:
    bot = make_bot(kind=GREETER)
    clean.superuser("""UPDATE bots SET settings = '{"features": {"loud": "perhaps"}}'""")
    with pytest.raises(InputError, match=r"features.loud"):
        await yard.host.application(bot)


def test_updates_are_asked_for_as_the_bot_is_configured() -> None:
    bot = make_bot(kind=GREETER)
    configure("test_bot", {"features.reactions": True})
    assert "message_reaction" not in wanted_updates(GREETER)
    assert "message_reaction" in wanted_updates(GREETER, bot.id)
    assert "message_reaction" in wanted_updates(NEEDY), "a kind that needs to be set up may want anything"


def test_who_is_gone_gives_nothing(settings: Settings) -> None:
    assert settings
    assert (given_to(99).settings, given_to(99).features, given_to(99).secrets()) == ({}, {}, {})


def test_configurations_can_be_used_from_the_command_line(settings: Settings) -> None:
    make_bot(kind=GREETER, queue="slow")

    def run(*words: str) -> str:
        done = CliRunner().invoke(app, ["bot", *words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    assert settings
    done = json.loads(run("configure", "test_bot", "settings.word=5", "settings.times=2", "admin_chat_id=7", "--json"))
    assert done["number"] == 1
    assert done["configuration"]["settings"] == {"word": "5", "times": 2}
    assert done["configuration"]["admin_chat_id"] == 7
    assert re.search(r"settings.times +2 ", run("config", "test_bot"))
    run("configure", "test_bot", "settings.word=", "features.loud=on", "--note", "louder", "--expected", "1")
    versions = json.loads(run("history", "test_bot", "--json"))
    assert versions[0]["changes"] == {
        "features.loud": {"before": None, "after": True}, "settings.word": {"before": "5", "after": None},
    }  # fmt: skip
    assert "louder" in run("history", "test_bot")
    assert json.loads(run("rollback", "test_bot", "1", "--json"))["number"] == 3
    assert json.loads(run("schema", "test_bot", "--json"))["settings"]["properties"]["times"]["default"] == 1
    assert "settings.word" in run("schema", "test_bot")
    assert json.loads(run("set", "test_bot", "--no-retry", "--share", "2", "--json")) == {
        "bot": "test_bot", "answer_callbacks": True, "repeat_uncertain": True, "sends": "outbox", "retry": False,
        "forget_after": 0, "queue": "auto (now slow)", "share": 2, "time_zone": "UTC",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"),
    [("settings.word", "has no `=`"), ("settings.wrod=5", "settings.wrod: is not known"), ("qeue=slow", "mean queue")],
)
def test_a_wrong_word_on_the_command_line_is_one_sentence(settings: Settings, change: str, said: str) -> None:
    make_bot(kind=GREETER)
    assert settings
    with pytest.raises(InputError, match=said):
        CliRunner().invoke(app, ["bot", "configure", "test_bot", change], catch_exceptions=False)
