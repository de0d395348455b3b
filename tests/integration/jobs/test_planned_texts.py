"""``context.schedule``: texts that a bot's code has sent by itself."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from telegram.constants import ParseMode
from telegram.ext import CallbackContext, ContextTypes

from botyard.errors import InputError
from botyard.telegram import planning
from botyard.telegram.run import Lane
from tests.factories import CHAT
from tests.integration.jobs.kinds import BERLIN
from tests.integration.jobs.tools import Bot, away_once, fire, jobs, now, rows, sends
from tests.integration.rig import Rig

TEXTS = {"en": "Good morning", "ru": "Доброе утро"}


def plan(*texts: Any, **options: Any) -> Any:
    """An order that schedules this."""
    return lambda _queue, _chat, context: context.schedule(*texts, **options) and None


def moments(yard: Rig) -> list[dt.datetime]:
    return [moment.astimezone(BERLIN) for moment in jobs(yard, "next_run")]


async def test_a_text_is_sent_when_its_moment_has_come_as_a_message_of_schedules(yard: Rig, bot: Bot) -> None:
    await bot.does(plan("Hello {{first_name|you}}", after=60))
    assert jobs(yard, "chat_id, user_id") == [(CHAT, CHAT)]
    yard.host._applications.clear()
    await fire(yard)
    assert sends(yard) == ["Hello Ann"]
    assert rows(yard, "SELECT chat_key, lane FROM outbox") == [(str(CHAT), int(Lane.SCHEDULED))]
    assert rows(yard, "SELECT deadline - created_at BETWEEN '23 hours' AND '25 hours' FROM outbox") == [(True,)]
    assert jobs(yard) == []


async def test_everybody_reads_their_own_language_as_it_is_known_when_it_is_sent(yard: Rig, bot: Bot) -> None:
    await bot.does(plan(TEXTS, every=60))
    for language in ("ru", "ru-RU", "ja"):
        yard.services.superuser(f"UPDATE bot_users SET language = '{language}'")  # noqa: S608 - our own words
        await fire(yard)
    assert sends(yard) == ["Доброе утро", "Доброе утро", "Good morning"]


async def test_in_a_group_it_goes_to_the_group_and_speaks_of_who_asked_for_it(yard: Rig, bot: Bot) -> None:
    await bot.does(plan("{{first_name|somebody}} is due", after=60), chat_id=-100_500)
    await fire(yard)
    assert rows(yard, "SELECT chat_key, params->>'text' FROM outbox") == [("-100500", "Ann is due")]


async def test_it_may_go_to_another_chat_of_whose_person_nothing_is_known(yard: Rig, bot: Bot) -> None:
    await bot.does(plan("Hello {{first_name|you}}", after=60, chat_id=8, user_id=8))
    await fire(yard)
    assert rows(yard, "SELECT chat_key, params->>'text' FROM outbox") == [("8", "Hello you")]


@pytest.mark.parametrize(
    ("of_person", "of_bot", "said", "zone"),
    [
        (None, None, None, "UTC"),
        (None, "Asia/Tokyo", None, "Asia/Tokyo"),
        ("America/Lima", "Asia/Tokyo", None, "America/Lima"),
        ("Nowhere/At all", "Asia/Tokyo", None, "Asia/Tokyo"),
        ("America/Lima", "Asia/Tokyo", "Europe/Berlin", "Europe/Berlin"),
    ],
)
async def test_clock_times_are_those_of_the_zone_that_is_said_or_of_the_person_or_of_the_bot(
    yard: Rig, bot: Bot, of_person: str | None, of_bot: str | None, said: str | None, zone: str
) -> None:
    await bot.does(lambda *_: None)
    if of_person is not None:
        yard.services.superuser(f'UPDATE bot_users SET attributes = \'{{"time_zone": "{of_person}"}}\'')  # noqa: S608
    if of_bot is not None:
        yard.services.superuser(f'UPDATE bots SET settings = \'{{"time_zone": "{of_bot}"}}\'')  # noqa: S608
    there = dt.datetime(2030, 7, 1, 9, 30)  # noqa: DTZ001 - a clock time
    await bot.does(plan("at", at=there, zone=said))
    await bot.does(plan("cron", cron="30 9 1 7 *", zone=said))
    of_date, of_cron = (moment.astimezone(dt.UTC) for moment in moments(yard))
    local = [moment.astimezone(ZoneInfo(zone)).strftime("%m-%d %H:%M") for moment in (of_date, of_cron)]
    assert sorted(local) == ["07-01 09:30", "07-01 09:30"]


async def test_a_moment_with_its_own_zone_is_that_moment(yard: Rig, bot: Bot) -> None:
    moment = dt.datetime(2030, 1, 1, 9, tzinfo=BERLIN)
    await bot.does(plan("at", at=moment, zone="Asia/Tokyo"))
    assert jobs(yard, "next_run") == [moment]


async def test_what_comes_again_and_again_ends_where_it_was_told_to(yard: Rig, bot: Bot) -> None:
    await bot.does(plan("again", every=dt.timedelta(hours=1), until=now() + dt.timedelta(minutes=90)))
    (first,) = jobs(yard, "next_run")
    await fire(yard)
    assert sends(yard) == ["again"]
    assert jobs(yard, "next_run") == [first]
    yard.services.superuser("UPDATE jobs SET trigger = jsonb_set(trigger, '{end}', to_jsonb(now()))")
    await fire(yard)
    assert jobs(yard) == [], "there is none behind its end"


async def test_one_of_the_same_name_takes_the_place_of_the_chats_and_of_no_other(yard: Rig, bot: Bot) -> None:
    for chat in (CHAT, 8):
        await bot.does(plan("old", cron="0 9 * * *", name="digest"), chat_id=chat)
    await bot.does(plan("new", cron="0 9 * * *", name="digest"))
    assert sorted(jobs(yard, "chat_id, data->'data'->'data'->'texts'->>''")) == [(8, "old"), (CHAT, "new")]
    assert await bot.is_told(lambda _q, _c, context: context.unschedule("digest")) == "True"
    assert await bot.is_told(lambda _q, _c, context: context.unschedule("digest")) == "False"
    assert jobs(yard, "chat_id") == [8]


async def test_what_else_a_message_takes_goes_along_and_values_are_no_markup(yard: Rig, bot: Bot) -> None:
    await bot.does(lambda *_: None)
    yard.services.superuser("UPDATE bot_users SET first_name = '<b>Bob</b>'")
    await bot.does(plan("<i>{{first_name|you}}</i>", after=60, parse_mode=ParseMode.HTML, disable_notification=True))
    await fire(yard)
    assert rows(yard, "SELECT params->>'text', params->>'parse_mode', params->>'disable_notification' FROM outbox") == [
        ("<i>&lt;b&gt;Bob&lt;/b&gt;</i>", "HTML", "true")
    ]


@pytest.mark.parametrize(
    ("texts", "options", "words"),
    [
        ("x", {}, "for no moment"),
        ("x", {"after": 60, "cron": "0 9 * * *"}, "or for several"),
        ("x", {"after": 60, "until": dt.datetime(2030, 1, 1, tzinfo=dt.UTC)}, "until ends these"),
        ("x", {"cron": "0 9 * *"}, "five fields"),
        ("x", {"cron": "0 99 * * *"}, "not understood"),
        ("x", {"cron": "0 9 * * *", "zone": "Mars/Phobos"}, "Mars/Phobos"),
        ("x {{name}}", {"after": 60}, "no variable"),
        ("x {{first_name}}", {"after": 60}, "may be missing"),
        ({}, {"after": 60}, "Write one"),
        ("x", {"after": 60, "parse_mode": "markup"}, "parse_mode"),
    ],
)
async def test_what_makes_no_sense_is_refused_at_once(
    yard: Rig, bot: Bot, texts: Any, options: dict[str, Any], words: str
) -> None:
    def order(_queue: Any, _chat: int, context: Any) -> str:
        with pytest.raises(InputError, match=words) as refused:
            context.schedule(texts, name="one", **options)
        return str(refused.value)

    await bot.does(plan("old", after=60, name="one"))
    assert words in await bot.is_told(order)
    assert jobs(yard) == ["one"], "it replaces nothing"


async def test_a_database_that_is_away_when_it_is_to_be_sent_costs_no_attempt(
    yard: Rig, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = away_once(monkeypatch, "botyard.users.readers")
    await bot.does(plan("at last", after=60))
    await fire(yard)
    assert (sends(yard), away) == (["at last"], [])
    assert rows(yard, "SELECT DISTINCT attempt FROM inbox") == [(1,)]


class OwnContext(CallbackContext[Any, Any, Any, Any]):
    """A context of a bot's author, who has a word of their own for something else."""

    @property
    def mine(self) -> str:
        return "mine"


class Busy(OwnContext):
    """Another one."""

    schedule = "full"


@pytest.mark.parametrize(("own", "said"), [(OwnContext, "mine True"), (Busy, "mine full")])
async def test_an_authors_own_contexts_stay_what_they_are(own: Any, said: str) -> None:
    made = planning.planning(ContextTypes(context=own))
    assert issubclass(made.context, own)
    context: Any = object.__new__(made.context)
    has = context.schedule if isinstance(context.schedule, str) else callable(context.schedule)
    assert f"{context.mine} {has}" == said
