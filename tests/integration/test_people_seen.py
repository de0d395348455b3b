"""Whoever writes to a bot is noted with their update, and costs nothing while nothing about them changes."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from telegram import Update

from botyard.processing.people import Acquaintances, Person
from botyard.processing.store import Verdict
from tests.factories import make_bot, message, resolution
from tests.integration.asked import commit
from tests.integration.rig import Rig
from tests.services import Services

HEARING = "tests.integration.kinds:misbehaving"
PROFILE = {
    "last_name": None, "username": None, "language_code": "en", "is_premium": False, "at": "2026-01-15T10:30:00Z",
}  # fmt: skip
CHANNEL_BOT = {"id": 136817688, "is_bot": True, "first_name": "Channel", "username": "Channel_Bot"}


@pytest.fixture(autouse=True)
def acquaintances(monkeypatch: pytest.MonkeyPatch) -> Acquaintances:
    """Of a process that has just begun."""
    fresh = Acquaintances()
    monkeypatch.setattr("botyard.processing.resolving.ACQUAINTANCES", fresh)
    return fresh


def written(yard: Rig, columns: str = "user_id, first_name, username, language_code") -> list[tuple[Any, ...]]:
    return yard.services.superuser(f"SELECT {columns} FROM bot_users ORDER BY user_id")  # noqa: S608 - our own columns


def by(update: dict[str, Any], **profile: Any) -> dict[str, Any]:
    """The same update, of somebody who is called otherwise."""
    update["message"]["from"] |= profile
    return update


async def test_who_writes_is_noted_as_telegram_calls_them(yard: Rig) -> None:
    bot = make_bot(kind=HEARING)
    await yard.give(
        bot, by(message(1, chat_id=7), username="ann", last_name="Lee", is_premium=True), message(2, chat_id=8)
    )
    await yard.settle(sending=False)
    assert written(yard, "user_id, first_name, last_name, username, language_code, is_premium, customer_id") == [
        (7, "Ann", "Lee", "ann", "en", True, 1), (8, "Ann", None, None, "en", False, 1),
    ]  # fmt: skip


async def test_a_changed_profile_is_written_at_once_and_an_unchanged_one_is_not(yard: Rig) -> None:
    bot = make_bot(kind=HEARING)
    await yard.give(bot, message(1, chat_id=7))
    await yard.settle(sending=False)
    yard.services.superuser("UPDATE bot_users SET first_name = 'marked', last_seen = '2020-01-01'")
    await yard.give(bot, message(2, chat_id=7))
    await yard.settle(sending=False)
    assert written(yard, "first_name") == [("marked",)], "nothing is written for somebody who was written just now"
    await yard.give(bot, by(message(3, chat_id=7), first_name="Anna"))
    await yard.settle(sending=False)
    assert written(yard, "first_name, last_seen > now() - interval '1 min'") == [("Anna", True)]


async def test_what_the_owner_notes_outlives_a_new_profile(yard: Rig) -> None:
    bot = make_bot(kind=HEARING)
    await yard.give(bot, message(1, chat_id=7))
    await yard.settle(sending=False)
    yard.services.superuser(
        "UPDATE bot_users SET tags = '{vip}', language = 'ru', attributes = '{\"a\": 1}', version = 5"
    )
    await yard.give(bot, by(message(2, chat_id=7), first_name="Anna"))
    await yard.settle(sending=False)
    assert written(yard, "first_name, tags, language, attributes, version") == [("Anna", ["vip"], "ru", {"a": 1}, 5)]


async def test_bots_channels_replays_and_nonsense_are_nobody(yard: Rig) -> None:
    bot = make_bot(kind=HEARING)
    post = {"message_id": 1, "chat": {"id": -100, "type": "channel", "title": "c"}, "date": 1, "text": "x"}
    linked = by(message(3, chat_id=-7), id=777000, first_name="Telegram")
    nonsense = by(message(4, chat_id=9), first_name=["Ann"])
    await yard.give(
        bot, {"update_id": 1, "channel_post": post}, by(message(2, chat_id=-5), **CHANNEL_BOT), linked, nonsense
    )
    await yard.settle(sending=False)
    assert written(yard) == []
    assert yard.services.superuser("SELECT count(*) FROM inbox WHERE state = 'done'") == [(4,)]


async def test_an_odd_name_is_kept_as_far_as_it_can_be(yard: Rig) -> None:
    bot = make_bot(kind=HEARING)
    await yard.give(bot, by(message(1, chat_id=7), first_name="a\0b" + "c" * 500))
    await yard.settle(sending=False)
    ((name,),) = written(yard, "first_name")
    assert name.startswith("a\ufffdbc")
    assert len(name) == 256


async def test_people_of_a_batch_are_written_once_each_by_their_latest_update(yard: Rig) -> None:
    bot = make_bot(kind=HEARING)
    updates = [by(message(n, chat_id=-n, user_id=7), first_name=f"Ann {n}") for n in range(1, 9)]
    await yard.give(bot, *updates)
    await yard.settle(sending=False)
    assert written(yard, "user_id") == [(7,)]
    assert yard.services.superuser("SELECT count(*) FROM inbox WHERE state = 'done'") == [(8,)]


def test_batches_that_bring_the_same_people_in_any_order_wait_for_each_other_and_none_fails(clean: Services) -> None:
    bot = make_bot()

    def write(turn: int) -> list[Verdict]:
        people = range(1, 40) if turn % 2 else range(39, 0, -1)
        batch = [
            Person((bot.id, one), 0, PROFILE | {"id": one, "first_name": f"{turn}"}).joined(
                resolution(turn * 1000 + place, chat_key=f"{turn}:{one}")
            )
            for place, one in enumerate(people)
        ]
        return [decided.verdict for decided in commit(bot, bot.telegram_id, batch)]

    with ThreadPoolExecutor(6) as threads:
        verdicts = [verdict for found in threads.map(write, range(1, 61)) for verdict in found]
    assert set(verdicts) == {Verdict.WRITTEN}
    assert clean.superuser("SELECT count(*) FROM bot_users") == [(39,)]


def test_an_acquaintance_is_forgotten_after_a_while_and_when_there_are_too_many() -> None:
    update = Update.de_json(message(1, chat_id=7))
    other = Update.de_json(message(2, chat_id=8))
    at = datetime.now(UTC)
    now = Acquaintances(seconds=60, most=1)
    news = now.news_of(1, update, at)
    assert news is not None
    now.keep(news)
    assert now.news_of(1, update, at + timedelta(hours=1)) is None
    assert now.news_of(2, update, at) is not None, "another bot's acquaintance"
    more = now.news_of(1, other, at)
    assert more is not None
    now.keep(more)
    assert now.news_of(1, update, at) is not None, "only so many are remembered"
    never = Acquaintances(seconds=0)
    never.keep(news)
    assert never.news_of(1, update, at) is not None
