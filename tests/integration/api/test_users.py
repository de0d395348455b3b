"""The people of a bot over the API: finding them, and noting something of them."""

# ruff: noqa: S608 - statements with our own numbers and names

import pytest
from starlette.testclient import TestClient

from botyard.accounts.roles import Role
from tests.factories import TELEGRAM_ID
from tests.integration.api.callers import Caller, House, house
from tests.services import Services


@pytest.fixture
def acme(web: TestClient, clean: Services) -> House:  # noqa: ARG001 - with its database
    made = house("acme", TELEGRAM_ID)
    for number, name, username, language, tags, days in (
        (7, "Ann", "ann_lee", "en", "{vip}", 0), (8, "Anton", None, "ru", "{}", 1),
        (9, "Bob", "ANTHILL", "en", "{vip,new}", 2),
        (10, "100%", None, None, "{}", 3),
    ):  # fmt: skip
        clean.superuser(
            "INSERT INTO bot_users (bot_id, customer_id, user_id, first_name, username, language_code, tags, last_seen)"
            f" VALUES ({made.bot.id}, {made.id}, {number}, $x${name}$x$, {f'$x${username}$x$' if username else 'NULL'},"
            f" {f'$x${language}$x$' if language else 'NULL'}, '{tags}', now() - interval '{days} days')"
        )
    clean.superuser(
        "INSERT INTO chats (bot_id, customer_id, chat_key, unreachable_since, unreachable_reason)"
        f" VALUES ({made.bot.id}, {made.id}, '8', now(), 'blocked')"
    )
    return made


@pytest.fixture
def operator(web: TestClient, acme: House) -> Caller:
    return Caller(web, acme.tokens[Role.OPERATOR])


def found(caller: Caller, acme: House, query: str = "") -> list[str]:
    answer = caller.get(f"/v1/bots/bot_{acme.bot.id}/users{query}")
    assert answer.status == 200, answer.body
    return [one["id"] for one in answer.body["items"]]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", ["7", "8", "9", "10"]),
        ("?tag=VIP", ["7", "9"]),
        ("?language=EN", ["7", "9"]),
        ("?blocked=true", ["8"]),
        ("?blocked=false&tag=new", ["9"]),
        ("?q=ant", ["8", "9"]),
        ("?q=%40ann", ["7"]),
        ("?q=100%25", ["10"]),
        ("?q=%25", []),
        ("?q=bob%20", ["9"]),
        ("?seenSince=2100-01-01T00:00:00Z", []),
    ],
)
def test_people_are_found_by_what_is_known_of_them(operator: Caller, acme: House, query: str, ids: list[str]) -> None:
    assert found(operator, acme, query) == ids


def test_a_long_list_comes_in_parts(operator: Caller, acme: House) -> None:
    seen, place = [], f"/v1/bots/bot_{acme.bot.id}/users?limit=3"
    while place:
        answer = operator.get(place).body
        seen += [one["id"] for one in answer["items"]]
        place = (answer["next"] or "").removeprefix("/api")
    assert seen == ["7", "8", "9", "10"]


def test_what_is_noted_is_merged_counted_and_shown(operator: Caller, acme: House) -> None:
    place = f"/v1/bots/bot_{acme.bot.id}/users/7"
    first = operator.get(place)
    assert first.headers["etag"] == '"1"'
    change = {"tags": {"add": [" Gold  Card "], "remove": ["vip"]}, "attributes": {"plan": "a", "gone": None}}
    assert operator.patch(place, change).body["tags"] == ["gold card"]
    after = operator.patch(place, {"language": "pt-BR", "attributes": {"plan": None, "n": [1, {"x": None}]}})
    assert (after.body["language"], after.body["attributes"]) == ("pt-br", {"n": [1, {"x": None}]})
    assert after.headers["etag"] == '"3"'
    assert operator.patch(place, {"tags": {"add": ["gold card"]}}).headers["etag"] == '"3"', "nothing was changed"
    assert operator.patch(place, {"language": None}).body["language"] is None


def test_two_who_note_at_once_do_not_overwrite_each_other(operator: Caller, acme: House) -> None:
    place = f"/v1/bots/bot_{acme.bot.id}/users/7"
    assert operator.ask("PATCH", place, {}, {"If-Match": None}).status == 428
    assert operator.ask("PATCH", place, {"language": "ru"}, {"If-Match": '"1"'}).status == 200
    late = operator.ask("PATCH", place, {"language": "de"}, {"If-Match": '"1"'})
    assert late.status == 412
    assert operator.get(place).body["language"] == "ru"


@pytest.mark.parametrize(
    "change",
    [
        {"tags": {"add": [f"t{n}" for n in range(50)]}},
        {"tags": {"add": ["x" * 65]}},
        {"tags": {"add": ["a\u200bb"]}},
        {"tags": {"add": ["  "]}},
        {"attributes": {"a": "x" * 17_000}},
        {"attributes": {"a": "\0"}},
        {"attributes": {"": 1}},
        {"language": "english please"},
        {"firstName": "Eve"},
        {"version": 9},
    ],
)
def test_what_cannot_be_noted_is_refused_and_changes_nothing(operator: Caller, acme: House, change: object) -> None:
    place = f"/v1/bots/bot_{acme.bot.id}/users/7"
    before = operator.get(place).body
    answer = operator.patch(place, change)
    assert (answer.status, answer.headers["content-type"]) == (422, "application/problem+json")
    assert operator.get(place).body == before


def test_people_are_out_of_reach_of_others(web: TestClient, acme: House) -> None:
    other = house("other", TELEGRAM_ID + 1)
    stranger = Caller(web, other.tokens[Role.OWNER])
    place = f"/v1/bots/bot_{acme.bot.id}/users"
    assert [stranger.get(place).status, stranger.get(f"{place}/7").status] == [404, 404]
    assert stranger.patch(f"{place}/7", {"language": "ru"}).status == 404
    assert stranger.get(f"/v1/bots/bot_{other.bot.id}/users/7").status == 404
    viewer = Caller(web, acme.tokens[Role.VIEWER])
    assert viewer.get(f"{place}/7").status == 200
    assert viewer.patch(f"{place}/7", {"language": "ru"}).status == 403
    assert viewer.get(f"{place}/999").status == 404
    assert viewer.get(f"{place}/bot_7").status == 404


@pytest.mark.parametrize("query", ["language=%00", "tag=a%00", "q=%00"])
def test_what_no_text_can_contain_is_refused(operator: Caller, acme: House, query: str) -> None:
    assert operator.get(f"/v1/bots/bot_{acme.bot.id}/users?{query}").status == 422
