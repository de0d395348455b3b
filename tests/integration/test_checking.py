"""Looking after many bots: whose turn it is, and what a Bot API that is away does not do to them."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
import redis
from aiohttp import web

from botyard.bots.connection.webhooks import connection_of
from botyard.bots.health import checking
from botyard.bots.health.checking import Checker, checker, due_bots
from botyard.bots.health.verdicts import renew_contacts
from botyard.settings import Settings
from tests.factories import TELEGRAM_ID, make_bot
from tests.integration.fake_api import FakeApi, error
from tests.services import Services

MANY = 1001


def many_bots(services: Services, api_url: str, count: int) -> None:
    """Bots whose updates are fetched, with the token of the first: nothing here asks whose it is."""
    bot = make_bot(api_url=api_url)
    services.superuser(
        "INSERT INTO bots (customer_id, telegram_id, public_id, kind, name, username, token_encrypted, api_url, intake)"  # noqa: S608
        f" SELECT 1, {TELEGRAM_ID} + n, 'p' || n, 'demo', 'b', 'bot_' || n, 'x', '{api_url}', 'polling'"
        f" FROM generate_series(1, {count - 1}) n",
        f"UPDATE bots SET intake = 'polling' WHERE id = {bot.id}",  # noqa: S608
        "INSERT INTO bot_identities (telegram_id, bot_id, customer_id) SELECT telegram_id, id, 1 FROM bots"
        " ON CONFLICT DO NOTHING",
    )


@pytest.fixture(autouse=True)
def opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tokens of a thousand rows made by one statement, and nobody who needs the processor meanwhile."""
    monkeypatch.setattr(checking, "_PER_SECOND", 10_000)
    monkeypatch.setattr(
        "botyard.bots.connection.webhooks.open_sealed", lambda secret: f"{secret.name.partition(':')[2]}:AAAA"
    )


@asynccontextmanager
async def checks_of(settings: Settings, **changes: Any) -> AsyncIterator[Checker]:
    async with checker(settings.model_copy(update=changes)) as made:
        yield made


async def no_webhook(request: web.Request, _: dict[str, Any]) -> web.Response:
    """A Bot API for which all is well."""
    telegram_id = int(request.match_info["token"].partition(":")[0])
    name = {"id": telegram_id, "first_name": "b", "username": f"bot_{telegram_id - TELEGRAM_ID}"}
    return web.json_response({"ok": True, "result": name if request.path.endswith("getMe") else {"url": ""}})


def well(api: FakeApi) -> None:
    api.refusing[0] = no_webhook


def checked(services: Services) -> set[int]:
    return {row for (row,) in services.superuser("SELECT bot_id FROM bot_health WHERE checked_at IS NOT NULL")}


async def test_more_than_a_thousand_bots_take_turns_and_those_whose_updates_stopped_go_first(
    clean: Services, settings: Settings, api: FakeApi
) -> None:
    many_bots(clean, api.url, MANY)
    well(api)
    clean.superuser(
        "INSERT INTO bot_health (bot_id, customer_id, state, pending, checked_at, next_check)"
        " SELECT id, 1, 'ok', CASE WHEN id % 100 = 0 THEN 5 END, now() - interval '10 min',"
        " now() - interval '1 min' FROM bots",
        # One that had an update a minute yesterday, and none for hours.
        "INSERT INTO bot_days (bot_id, customer_id, day, updates) VALUES (999, 1, current_date - 1, 1440)",
        f"INSERT INTO inbox (telegram_id, update_id, bot_id, chat_key, kind, body, state, received_at)"  # noqa: S608
        f" VALUES ({TELEGRAM_ID + 998}, 7, 999, '5', 'message', '{{}}', 'done', now() - interval '3 hours')",
    )
    due, many = due_bots()
    assert (len(due), many) == (26, True)
    assert due[:11] == [100, 200, 300, 400, 500, 600, 700, 800, 900, 999, 1000]
    before = "SELECT count(*) FROM bot_health WHERE checked_at > now() - interval '9 min'"
    for number in range(1, 9):
        clean.superuser("UPDATE bot_health SET next_check = now() + interval '1 day', state = 'ok', pending = NULL"
                        " WHERE checked_at > now() - interval '9 min' RETURNING 1")  # fmt: skip
        async with checks_of(settings) as checks:
            found = await checks.check_due()
        assert found is not None
        assert sum(found.checked.values()) <= 26
        assert clean.superuser(before) == [(number * 26,)]


async def test_few_bots_are_all_looked_at_each_time_and_one_round_at_a_time(
    clean: Services, settings: Settings, api: FakeApi, raw_valkey: "redis.Redis"
) -> None:
    many_bots(clean, api.url, 40)
    clean.superuser("UPDATE bots SET status = 'error' WHERE id = 7", "UPDATE bots SET status = 'inactive' WHERE id = 8",
                    "UPDATE bots SET removal_began = now() WHERE id = 9")  # fmt: skip
    well(api)
    for _ in range(2):
        clean.superuser("UPDATE bot_health SET next_check = now()")
        async with checks_of(settings) as checks:
            found = await checks.check_due()
        assert found is not None
        assert sum(found.checked.values()) == 37
    assert checked(clean).isdisjoint({7, 8, 9})
    raw_valkey.set("by:checks", "another process", ex=60)
    async with checks_of(settings) as checks:
        assert await checks.check_due() is None


async def test_a_bot_api_that_is_away_marks_no_bot_and_is_asked_a_few_times_only(
    clean: Services, settings: Settings, api: FakeApi, raw_valkey: "redis.Redis"
) -> None:
    many_bots(clean, api.url, 500)
    clean.superuser("UPDATE bots SET settings = '{\"admin_chat_id\": 5}'")
    api.refusing[0] = error(502, "Bad Gateway")
    async with checks_of(settings) as checks:
        found = await checks.check_due()
    assert found is not None
    assert (sum(found.checked.values()), found.later, list(found.away)) == (0, 500, ["127.0.0.1"])
    assert len(api.calls) <= 64
    assert checked(clean) == set()
    assert clean.superuser("SELECT count(*) FROM events") == [(0,)]
    assert clean.superuser("SELECT count(*) FROM outbox") == [(0,)]
    assert b"127.0.0.1" in raw_valkey.hgetall("by:api_away")
    well(api)
    async with checks_of(settings) as checks:
        await checks.check_due()
    assert len(checked(clean)) == 500
    assert raw_valkey.hgetall("by:api_away") == {}


async def test_a_bot_api_that_refuses_one_bot_for_now_marks_that_one_only(
    clean: Services, settings: Settings, api: FakeApi
) -> None:
    many_bots(clean, api.url, 20)

    async def some(request: web.Request, params: dict[str, Any]) -> web.StreamResponse:
        if request.match_info["token"].startswith(f"{TELEGRAM_ID + 3}:"):
            return await error(429, "Too Many Requests", retry_after=5)(request, params)
        return await no_webhook(request, params)

    api.refusing[0] = some
    async with checks_of(settings) as checks:
        await checks.check_due()
    away = clean.superuser("SELECT bot_id, state, contacted_at FROM bot_health WHERE reason = 'away'")
    assert away == [(4, "warning", None)]
    assert len(checked(clean)) == 20


async def test_bots_that_telegram_does_not_know_wait_for_their_turn_and_those_it_knows_do_not(
    clean: Services, settings: Settings, api: FakeApi
) -> None:
    many_bots(clean, api.url, 30)
    well(api)
    clean.superuser("INSERT INTO bot_health (bot_id, customer_id, contacted_at)"
                    " SELECT id, 1, now() - interval '30 min' FROM bots WHERE id <= 12")  # fmt: skip
    async with checks_of(settings, first_contacts="127.0.0.1=5/9") as checks:
        found = await checks.check_due()
    assert found is not None
    assert (sum(found.checked.values()), found.later) == (17, 13)
    assert set(range(1, 13)) <= checked(clean)


async def test_of_many_bots_those_that_wait_for_a_permit_do_not_stand_before_the_others(
    clean: Services, settings: Settings, api: FakeApi
) -> None:
    many_bots(clean, api.url, MANY)
    well(api)
    clean.superuser(
        "INSERT INTO bot_health (bot_id, customer_id, contacted_at, checked_at)"
        " SELECT id, 1, now() - interval '30 min', now() - interval '30 min' FROM bots WHERE id > 900"
    )
    for _ in range(8):
        async with checks_of(settings, first_contacts="127.0.0.1=1/1") as checks:
            assert await checks.check_due() is not None
    fresh = "SELECT count(*) FROM bot_health WHERE checked_at > now() - interval '9 min'"
    assert clean.superuser(fresh) == [(102,)], "all that Telegram knows, and one that had the only permit"


async def test_what_is_odd_about_one_bot_keeps_no_other_from_its_turn(
    clean: Services, settings: Settings, api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    many_bots(clean, api.url, 10)
    well(api)

    def odd(bot_id: int) -> Any:
        if bot_id == 3:
            raise ZeroDivisionError
        return connection_of(bot_id)

    monkeypatch.setattr(checking, "connection_of", odd)
    async with checks_of(settings) as checks:
        await checks.check_due()
    assert checked(clean) == set(range(1, 11)) - {3}


async def test_a_round_leaves_the_processor_to_others_between_its_bots(
    clean: Services, settings: Settings, api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    many_bots(clean, api.url, 11)
    clean.superuser("INSERT INTO bot_health (bot_id, customer_id, contacted_at) SELECT id, 1, now() FROM bots")
    well(api)
    monkeypatch.setattr(checking, "_PER_SECOND", 20)
    began = time.monotonic()
    async with checks_of(settings) as checks:
        await checks.check_due()
    assert time.monotonic() - began >= 10 / 20
    assert len(checked(clean)) == 11
    clean.superuser("UPDATE bot_health SET checked_at = NULL, next_check = now()")
    monkeypatch.setattr(checking, "_PER_SECOND", 0.01)
    monkeypatch.setattr(checking, "_SPREAD_SECONDS", 0.1)
    async with checks_of(settings) as checks:
        await checks.check_due()
    assert len(checked(clean)) == 11, "no slower than that all have their turn"


async def test_a_round_that_takes_too_long_leaves_the_rest_to_the_next(
    clean: Services, settings: Settings, api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    many_bots(clean, api.url, 50)
    well(api)
    monkeypatch.setattr(checking, "_SECONDS", -1.0)
    async with checks_of(settings) as checks:
        await checks.check_due()
    assert checked(clean) == set()


BUSY = "id % 5 < 2"


async def test_busy_bots_that_telegram_forgot_in_an_outage_take_nobodys_place(clean: Services, api: FakeApi) -> None:
    many_bots(clean, api.url, MANY)
    clean.superuser(
        "INSERT INTO bot_health (bot_id, customer_id, state, checked_at, contacted_at, next_check)"
        " SELECT id, 1, 'ok', now() - interval '40 min', now() - interval '40 min', now() - interval '5 min' FROM bots",
        # Those have not been heard of for hours, and their last update is old.
        "INSERT INTO bot_days (bot_id, customer_id, day, updates)"  # noqa: S608
        f" SELECT id, 1, current_date - 1, 500 FROM bots WHERE {BUSY}",
        "INSERT INTO inbox (telegram_id, update_id, bot_id, chat_key, kind, body, state, received_at)"  # noqa: S608
        " SELECT telegram_id, 7, id, '5', 'message', '{}', 'done', now() - interval '3 hours' FROM bots"
        f" WHERE {BUSY}",
        "UPDATE bot_health SET contacted_at = now() - interval '2 hours', checked_at = now() - interval '2 hours'"  # noqa: S608
        f" WHERE bot_{BUSY}",
    )
    due, _ = due_bots()
    assert [number % 5 < 2 for number in due] == [False] * 26 + [True] * 26


async def test_a_bot_api_that_is_away_takes_no_place_of_anothers_bots(
    clean: Services, settings: Settings, api: FakeApi
) -> None:
    many_bots(clean, api.url, MANY)
    well(api)
    clean.superuser("UPDATE bots SET api_url = 'http://127.0.0.1:1' WHERE id <= 500")
    for number in range(1, 4):
        async with checks_of(settings) as checks:
            found = await checks.check_due()
        assert found is not None
        assert (sum(found.checked.values()), found.later) == (26, 26)
        assert len(checked(clean)) == number * 26


async def test_those_that_wait_for_a_permit_get_it_in_their_order(
    clean: Services, settings: Settings, api: FakeApi
) -> None:
    many_bots(clean, api.url, MANY)
    well(api)
    clean.superuser("INSERT INTO bot_health (bot_id, customer_id, checked_at, next_check) SELECT id, 1,"
                    " now() - interval '1 hour' - id * interval '1 s', now() FROM bots WHERE id <= 900")  # fmt: skip
    for _ in range(3):
        async with checks_of(settings, first_contacts="127.0.0.1=40/40") as checks:
            await checks.check_due()
    # Those that nobody has ever looked at, then those that have waited for longest.
    assert len(checked_lately(clean)) == 40
    assert checked_lately(clean) <= {*range(901, MANY + 1)}


def checked_lately(services: Services) -> set[int]:
    query = "SELECT bot_id FROM bot_health WHERE checked_at > now() - interval '9 min'"
    return {row for (row,) in services.superuser(query)}


def test_the_ticks_are_as_far_apart_as_the_turns_are_reckoned_with() -> None:
    from celeryconfig import beat_schedule

    every = beat_schedule["check-bots"]["schedule"]
    assert every * checking._TICKS <= timedelta(minutes=45)  # type: ignore[operator]


def test_whoever_works_for_bots_lets_them_stay_known_and_writes_that_seldom(clean: Services, api: FakeApi) -> None:
    many_bots(clean, api.url, 4)
    clean.superuser(
        "INSERT INTO bot_health (bot_id, customer_id, contacted_at) SELECT id, 1,"
        " now() - id * interval '20 min' FROM bots WHERE id < 4"
    )
    renew_contacts([1, 3])
    assert clean.superuser(
        "SELECT bot_id, round(extract(epoch FROM now() - contacted_at) / 60) FROM bot_health ORDER BY 1"
    ) == [(1, 20), (2, 40), (3, 0)]
