"""API keys: what they give, and to what they are limited."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from sqlalchemy import event, select, update
from starlette.testclient import TestClient

from botyard.accounts import bearer, keys
from botyard.accounts.bearer import fresh_key, public_id_of
from botyard.accounts.customers import add_customer
from botyard.accounts.members import join, remove_member
from botyard.accounts.roles import Role
from db.engine import get_engine, get_sessions
from db.models import AccessToken, AuditEntry
from tests.factories import TELEGRAM_ID, make_bot
from tests.integration.api.callers import Answer, Caller
from tests.integration.api.people import add_person, signed_in


@pytest.fixture
def acme(web: TestClient) -> int:
    del web
    return add_customer("acme").id


@pytest.fixture
def other(web: TestClient) -> int:
    del web
    return add_customer("other").id


@pytest.fixture
def anna(web: TestClient, acme: int, other: int) -> Caller:
    """An owner of two customers, signed in."""
    add_person("anna", {acme: Role.OWNER, other: Role.OWNER})
    return signed_in(web, "anna")


def made(caller: Caller, **wanted: Any) -> Answer:
    return caller.post("/v1/keys", {"name": "one"} | wanted)


def key(caller: Caller, **wanted: Any) -> Caller:
    answer = made(caller, **wanted)
    assert answer.status == 201, answer
    return Caller(caller.web, answer.body["key"])


def row(number: str) -> AccessToken:
    with get_sessions("system")() as session:
        return session.get_one(AccessToken, int(number.removeprefix("key_")))


def test_a_key_is_shown_once_and_works(anna: Caller) -> None:
    answer = made(anna, scopes=["account:read", "keys:write"], expiresDays=90)
    assert answer.headers["cache-control"] == "no-store"
    token = answer.body["key"]
    program = Caller(anna.web, token)
    me = program.get("/v1/me").body
    assert (me["keyId"], me["sessionId"], me["scopes"]) == (answer.body["id"], None, ["account:read", "keys:write"])
    shown = program.get(f"/v1/keys/{answer.body['id']}").body
    assert "key" not in shown
    assert shown["hint"] == f"by_{public_id_of(token)}_…"
    assert row(answer.body["id"]).digest == sha256(token.encode()).digest()


def test_a_repeated_request_makes_one_key_and_does_not_show_it_again(anna: Caller) -> None:
    answers = [anna.ask("POST", "/v1/keys", {"name": "one"}, {"Idempotency-Key": "k"}) for _ in range(2)]
    assert [one.status for one in answers] == [201, 201]
    assert answers[0].body["key"]
    assert answers[1].body == answers[0].body | {"key": None}
    with get_sessions("system")() as session:
        stored = session.connection().exec_driver_sql("SELECT answer, made FROM idempotency_keys").all()
    assert answers[0].body["key"] not in str(stored)


def test_a_key_with_a_typo_is_refused_without_the_database(anna: Caller) -> None:
    token = made(anna).body["key"]
    asked: list[str] = []
    listener = lambda *said: asked.append(said[2])  # noqa: E731
    event.listen(get_engine("system"), "before_cursor_execute", listener)
    try:
        typo = token[:20] + ("a" if token[20] != "a" else "b") + token[21:]
        for shown in (typo, token[:-1], token + "x", fresh_key().key[:-6] + "000000", "by_", "x" * 4000):
            assert Caller(anna.web, shown).get("/v1/me").status == 401
        assert asked == []
        assert Caller(anna.web, fresh_key().key).get("/v1/me").status == 401
        assert asked != []
    finally:
        event.remove(get_engine("system"), "before_cursor_execute", listener)


def test_the_public_part_of_a_key_lets_nobody_in(anna: Caller) -> None:
    token = made(anna).body["key"]
    body = token[:16] + fresh_key().key[16:-6]
    guessed = body + bearer._checksum(body)
    assert public_id_of(guessed) == public_id_of(token)
    assert Caller(anna.web, guessed).get("/v1/me").status == 401


def test_an_older_token_still_works(anna: Caller) -> None:
    older = "by_" + "Ab3_" * 10 + "xyz"
    with get_sessions("system").begin() as session:
        session.add(AccessToken(person_id=1, digest=sha256(older.encode()).digest()))
    assert Caller(anna.web, older).get("/v1/me").body["name"] == "anna"


def test_the_use_of_a_key_is_noted_once_a_minute_and_is_no_change(anna: Caller) -> None:
    program = key(anna)
    number = program.get("/v1/me").body["keyId"]
    first = row(number).last_used_at
    assert first is not None
    program.get("/v1/me")
    assert row(number).last_used_at == first
    with get_sessions("system").begin() as session:
        session.connection().execute(update(AccessToken).values(last_used_at=first - timedelta(seconds=61)))
    program.get("/v1/me")
    assert row(number).last_used_at > first - timedelta(seconds=1)  # type: ignore[operator]
    with get_sessions("system")() as session:
        actions = session.scalars(select(AuditEntry.action).where(AuditEntry.entity == f"access_tokens:{number[4:]}"))
        assert list(actions) == ["created"]


def test_a_key_lets_in_within_its_scopes_and_its_customer(anna: Caller, acme: int, other: int) -> None:
    program = key(anna, scopes=["account:read"], customerId=f"cus_{acme}")
    assert [one["customerId"] for one in program.get("/v1/me").body["customers"]] == [f"cus_{acme}"]
    assert program.get(f"/v1/customers/cus_{acme}/members").status == 200
    assert program.get(f"/v1/customers/cus_{other}/members").status == 404
    refused = program.post(f"/v1/customers/cus_{acme}/invitations", {"role": "viewer"})
    assert (refused.status, refused.body["type"]) == (403, "/api/docs/problems#out-of-scope")


def test_a_key_gives_no_more_than_its_person_may_now(anna: Caller, acme: int) -> None:
    program = key(anna, customerId=f"cus_{acme}")
    everywhere = key(anna)
    remove_member(None, acme, 1, None)
    assert program.get("/v1/me").status == 401
    assert everywhere.get(f"/v1/customers/cus_{acme}/members").status == 404


def test_a_key_for_bots_does_not_live_again_when_its_person_comes_back(anna: Caller, acme: int, other: int) -> None:
    bots = {place: make_bot(TELEGRAM_ID + place, customer_id=place).id for place in (acme, other)}
    programs = {
        place: key(anna, bots=[f"bot_{number}"], scopes=["bots:read"]) for place, number in bots.items()
    }  # fmt: skip
    remove_member(None, acme, 1, None)
    with get_sessions("system").begin() as session:
        join(session, 1, acme, Role.OWNER)
    asked = [programs[place].get(f"/v1/bots/bot_{bots[place]}").status for place in (acme, other)]
    assert asked == [401, 200]


BEYOND: list[tuple[dict[str, Any], str]] = [
    ({"scopes": ["keys:write", "messages:send"]}, "scopes"),
    ({"customerId": "of the other"}, "customerId"),
    ({"expiresDays": 31}, "expiresDays"),
]


@pytest.mark.parametrize(("wanted", "field"), BEYOND)
def test_a_key_makes_no_key_that_gives_more(
    anna: Caller, acme: int, other: int, wanted: dict[str, Any], field: str
) -> None:
    program = key(anna, scopes=["keys:write", "account:read"], customerId=f"cus_{acme}", expiresDays=30)
    wanted = wanted | ({"customerId": f"cus_{other}"} if "customerId" in wanted else {})
    answer = made(program, **wanted)
    assert (answer.status, answer.body["errors"][0]["field"]) == (422, field)
    same = made(program).body
    assert (same["scopes"], same["customerId"]) == (["account:read", "keys:write"], f"cus_{acme}")
    assert same["expiresAt"] == program.get(f"/v1/keys/{program.get('/v1/me').body['keyId']}").body["expiresAt"]
    assert made(program, scopes=["account:read"], expiresDays=29).status == 201


def test_a_limited_key_sees_and_revokes_only_keys_within_its_limits(anna: Caller, acme: int) -> None:
    everything = made(anna).body["id"]
    program = key(anna, scopes=["keys:write", "account:read"], customerId=f"cus_{acme}")
    own = program.get("/v1/me").body["keyId"]
    assert [one["id"] for one in program.get("/v1/keys").body["items"]] == [own]
    assert program.get(f"/v1/keys/{everything}").status == 404
    assert program.delete(f"/v1/keys/{everything}").status == 404
    assert program.post(f"/v1/keys/{everything}/rotate", {}).status == 404


def test_a_key_for_a_customer_changes_nothing_of_its_person(anna: Caller, acme: int) -> None:
    program, whole = key(anna, customerId=f"cus_{acme}"), key(anna)
    session = anna.get("/v1/me").body["sessionId"]
    asks: list[Callable[[Caller], Answer]] = [
        lambda one: one.get("/v1/sessions"),
        lambda one: one.patch("/v1/me", {"name": "anna b"}),
        lambda one: one.put("/v1/me/password", {"old": "not the right one", "new": "candle orbit moss nineteen"}),
        lambda one: one.post("/v1/invitations/accept", {"code": "by_link_x"}),
        lambda one: one.delete(f"/v1/sessions/{session}"),
    ]
    for ask in asks:
        assert ask(program).body["errors"][0]["field"] == "key"
        refused = ask(whole)
        assert refused.status < 300 or refused.body["errors"][0]["field"] in {"old", "code"}


def test_nobody_sees_anothers_keys(anna: Caller) -> None:
    add_person("ben", superadmin=True)
    number = made(anna).body["id"]
    ben = signed_in(anna.web, "ben")
    assert (ben.get(f"/v1/keys/{number}").status, ben.delete(f"/v1/keys/{number}").status) == (404, 404)


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": ["everything"]}, "scopes.0"),
        ({"bots": ["bot_1"]}, "scopes"),
        ({"bots": ["bot_1"], "scopes": ["keys:write"]}, "scopes"),
        ({"bots": [], "scopes": ["bots:read"]}, "bots"),
        ({"customerId": "of the other", "bots": ["bot_1"], "scopes": ["bots:read"]}, "bots"),
        ({"name": " "}, "name"),
        ({"expiresDays": 0}, "expiresDays"),
    ],
)
def test_limits_that_cannot_be_are_refused(
    anna: Caller, acme: int, other: int, wanted: dict[str, Any], field: str
) -> None:
    make_bot(TELEGRAM_ID, customer_id=acme)
    wanted = wanted | ({"customerId": f"cus_{other}"} if "customerId" in wanted else {})
    answer = made(anna, **wanted)
    assert (answer.status, answer.body["errors"][0]["field"]) == (422, field)


def test_no_key_for_what_is_anothers(anna: Caller) -> None:
    third = add_customer("third").id
    stranger = make_bot(TELEGRAM_ID, customer_id=third)
    assert made(anna, customerId=f"cus_{third}").status == 404
    assert made(anna, bots=[f"bot_{stranger.id}"], scopes=["bots:read"]).status == 404


def test_a_key_gives_way_to_another_one(anna: Caller) -> None:
    old = made(anna, scopes=["account:read"], expiresDays=30)
    new = anna.post(f"/v1/keys/{old.body['id']}/rotate", {"overlapSeconds": 60})
    assert (new.status, new.body["scopes"], new.body["name"]) == (201, ["account:read"], "one")
    for token in (old.body["key"], new.body["key"]):
        assert Caller(anna.web, token).get("/v1/me").status == 200
    left = row(old.body["id"]).expires_at
    assert left is not None
    assert left - datetime.now(UTC) <= timedelta(seconds=60)
    again = anna.post(f"/v1/keys/{new.body['id']}/rotate", {"overlapSeconds": 0})
    assert Caller(anna.web, new.body["key"]).get("/v1/me").status == 401
    assert Caller(anna.web, again.body["key"]).get("/v1/me").status == 200
    assert anna.post(f"/v1/keys/{new.body['id']}/rotate", {}).status == 404


def test_a_key_is_not_rotated_beyond_the_most_keys_or_twice(anna: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "_MOST_KEYS", 3)
    first, second = (made(anna).body["id"] for _ in range(2))
    assert anna.post(f"/v1/keys/{first}/rotate", {}).status == 201
    again, beyond = (anna.post(f"/v1/keys/{number}/rotate", {}) for number in (first, second))
    assert (again.status, again.body["errors"][0]["problem"]) == (422, "gives way to another one already.")
    assert (beyond.status, beyond.body["errors"][0]["problem"]) == (422, "would be that of key 4.")
    assert row(second).expires_at is None


def test_a_revoked_key_is_refused_from_the_next_request_on(anna: Caller) -> None:
    answer = made(anna)
    program = Caller(anna.web, answer.body["key"])
    assert program.get("/v1/me").status == 200
    assert [anna.delete(f"/v1/keys/{answer.body['id']}").status for _ in range(2)] == [204, 204]
    assert program.get("/v1/me").status == 401
    assert anna.get("/v1/keys").body["items"] == []
