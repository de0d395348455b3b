"""Schedules over the API: made once, previewed, changed by whoever has seen them, and what became of them."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from botyard.accounts.roles import Role
from tests.factories import TELEGRAM_ID
from tests.integration.api.callers import Caller, House, house
from tests.integration.schedules.tools import work
from tests.services import Services

ONCE: dict[str, str | None] = {"Idempotency-Key": "once"}
DAILY: dict[str, Any] = {
    "name": "daily", "when": {"type": "cron", "expression": "0 9 * * 1-5"}, "timeZone": "Europe/Berlin",
    "audience": {"userIds": ["7"]}, "texts": {"en": "Hi {{first_name|you}}"},
    "quietHours": {"from": "22:00", "to": "08:00"}, "cap": 3, "buttons": [[{"text": "Shop", "url": "https://shop.example.org"}]],
}  # fmt: skip


@pytest.fixture
def acme(web: TestClient, clean: Services) -> House:  # noqa: ARG001 - with its database
    made = house("acme", TELEGRAM_ID)
    clean.superuser(
        "INSERT INTO bot_users (bot_id, customer_id, user_id, first_name) VALUES"  # noqa: S608 - our own numbers
        f" ({made.bot.id}, {made.id}, 7, 'Ann'), ({made.bot.id}, {made.id}, 8, 'Bob')"
    )
    return made


@pytest.fixture
def operator(web: TestClient, acme: House) -> Caller:
    return Caller(web, acme.tokens[Role.OPERATOR])


@pytest.fixture
def place(acme: House) -> str:
    return f"/v1/bots/bot_{acme.bot.id}/schedules"


def test_a_schedule_is_made_once_and_shown_with_its_next_moments(operator: Caller, place: str) -> None:
    made = operator.ask("POST", place, DAILY, ONCE)
    assert made.status == 201
    assert made.headers["location"] == f"/api{place}/{made.body['id']}"
    assert operator.ask("POST", place, DAILY, ONCE).body == made.body
    shown = operator.get(f"{place}/{made.body['id']}")
    assert shown.body == made.body
    assert (shown.body["when"], shown.body["timeZone"]) == (
        DAILY["when"] | {"expression": "0 9 * * 1-5"},
        "Europe/Berlin",
    )
    assert (shown.body["audience"], shown.body["quietHours"]) == ({"userIds": ["7"]}, {"from": "22:00", "to": "08:00"})
    assert len(shown.body["nextMoments"]) == 5
    assert all("T09:00:00+0" in moment for moment in shown.body["nextMoments"])
    listed = operator.get(place).body
    assert [one["name"] for one in listed["items"]] == ["daily"]


def test_a_preview_keeps_nothing(operator: Caller, place: str) -> None:
    answer = operator.post(f"{place}/preview", DAILY)
    assert (answer.status, len(answer.body["moments"])) == (200, 5)
    assert operator.get(place).body["items"] == []


def test_run_now_writes_to_whom_it_is_for_and_its_history_says_so(
    operator: Caller, place: str, clean: Services
) -> None:
    schedule = operator.post(place, DAILY | {"quietHours": None}).body["id"]
    run = operator.post(f"{place}/{schedule}/run", None)
    assert (run.status, run.body["state"]) == (202, "open")
    work()
    assert clean.superuser("SELECT chat_key, params->>'text', lane FROM outbox") == [("7", "Hi Ann", 2)]
    (ran,) = operator.get(f"{place}/{schedule}/runs").body["items"]
    assert (ran["state"], ran["planned"], ran["outcomes"]) == ("done", 1, {"queued": 1})


def test_a_change_needs_the_version_that_was_seen(operator: Caller, place: str) -> None:
    made = operator.post(place, DAILY)
    where = f"{place}/{made.body['id']}"
    seen: dict[str, str | None] = {"If-Match": made.headers["etag"]}
    assert operator.ask("PUT", where, DAILY, {"If-Match": None}).status == 428
    changed = operator.ask("PUT", where, DAILY | {"name": "later"}, seen)
    assert (changed.status, changed.body["name"]) == (200, "later")
    assert operator.ask("PUT", where, DAILY, seen).status == 412
    paused = operator.post(f"{where}/pause", None)
    assert (paused.body["enabled"], paused.body["nextMoments"]) == (False, [])
    assert operator.post(f"{where}/run", None).status == 422
    assert operator.post(f"{where}/resume", None).body["enabled"] is True
    assert operator.delete(where).status == 204
    assert operator.get(where).status == 404
    assert operator.get(f"{where}/runs").status == 404


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"when": {"type": "cron", "expression": "0 9"}}, "when.expression"), ({"timeZone": "Mars"}, "timeZone"),
        ({"texts": {"en": "{{first_name}}"}}, "texts.en"), ({"texts": {}}, "texts"), ({"cap": 0}, "cap"),
        ({"graceSeconds": 1}, "graceSeconds"), ({"jitterSeconds": -1}, "jitterSeconds"), ({"name": " "}, "name"),
        ({"endsAt": "2020-01-01T00:00:00Z"}, "endsAt"), ({"quietHours": {"from": "25:00", "to": "1"}}, "quietHours"),
        ({"photo": {"fileId": "A" * 20}, "video": {"fileId": "A" * 20}}, "photo"),
        ({"when": {"type": "once", "at": "2020-01-01T00:00"}}, "when"), ({"audience": {"users": []}}, "audience.users"),
        ({"defaultLanguage": "de"}, "texts"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_with_the_field_as_it_was_written(
    operator: Caller, place: str, wrong: dict[str, Any], field: str
) -> None:
    answer = operator.post(place, DAILY | wrong)
    assert answer.status == 422
    assert [one["field"] for one in answer.body["errors"]] == [field]


def test_a_command_stands_in_the_place_of_texts(operator: Caller, place: str, clean: Services) -> None:
    command = {
        **{name: value for name, value in DAILY.items() if name not in ("texts", "buttons")},
        "command": "/digest",
    }
    made = operator.post(place, command)
    assert (made.status, made.body["command"], made.body["texts"]) == (201, "/digest", {})
    operator.post(f"{place}/{made.body['id']}/run")
    work()
    assert clean.superuser("SELECT callback, user_id FROM jobs") == [("command:/digest", 7)]
    for wrong in ({"texts": {"en": "Hi"}}, {"command": None}, {"photo": {"fileId": "A" * 20}}):
        assert operator.post(place, command | wrong).body["errors"][0]["field"] == "texts"
    assert operator.post(place, command | {"command": "digest"}).body["errors"][0]["field"] == "command"
