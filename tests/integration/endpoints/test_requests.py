"""Endpoints and events through the REST API."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.testclient import TestClient

from botyard.accounts.records import TokenWanted
from botyard.accounts.roles import Role
from botyard.accounts.services import new_token
from botyard.endpoints.sending import Sender
from botyard.web.front import build_app
from tests.factories import TELEGRAM_ID, make_bot
from tests.integration.api.callers import Caller, House, house, superadmin
from tests.integration.endpoints.receiver import Receiver, happen, send_all
from tests.services import Services


@pytest.fixture
def web(clean: Services) -> Iterator[TestClient]:  # noqa: ARG001 - the process finds it in the environment
    with TestClient(build_app(), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def own(clean: Services) -> House:  # noqa: ARG001
    return house("one", TELEGRAM_ID)


def manager(web: TestClient, of: House) -> Caller:
    return Caller(web, of.tokens[Role.MANAGER])


def added(caller: Caller, of: House, url: str, **wanted: Any) -> dict[str, Any]:
    answer = caller.post(f"/v1/customers/cus_{of.id}/endpoints", {"url": url, **wanted})
    assert answer.status == 201, answer.body
    found: dict[str, Any] = answer.body
    return found


def test_a_secret_is_shown_once_and_kept_nowhere_in_clear(
    web: TestClient, own: House, receiver: Receiver, clean: Services
) -> None:
    caller = manager(web, own)
    headers: dict[str, str | None] = {"Idempotency-Key": "one-and-the-same"}
    path, body = f"/v1/customers/cus_{own.id}/endpoints", {"url": receiver.url(), "types": ["bot.stopped"]}
    made = caller.ask("POST", path, body, headers)
    assert (made.status, made.headers["etag"], made.headers["cache-control"]) == (201, '"1"', "no-store")
    assert made.body["secret"].startswith("whsec_")
    again = caller.ask("POST", path, body, headers)
    assert (again.status, again.body) == (201, made.body | {"secret": None})
    number = made.body["id"]
    assert made.headers["location"] == f"/api/v1/endpoints/{number}"
    shown = caller.get(f"/v1/endpoints/{number}")
    assert shown.body == {
        "id": number, "customerId": f"cus_{own.id}", "url": receiver.url(), "description": None,
        "types": ["bot.stopped"], "bots": None, "status": "active", "statusReason": None, "failingSince": None,
        "createdAt": made.body["createdAt"], "version": 1,
    }  # fmt: skip
    assert [one["id"] for one in caller.get(path).body["items"]] == [number]
    rotated = caller.post(f"/v1/endpoints/{number}/rotate-secret").body["secret"]
    tables = [name for (name,) in clean.superuser("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    for secret in (made.body["secret"], rotated):
        for table in tables:
            rows = clean.superuser(f"SELECT t::text FROM {table} t WHERE t::text LIKE '%{secret[6:]}%'")  # noqa: S608
            assert rows == [], table


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"url": "https://169.254.169.254/latest"}, "url"),
        ({"url": "https://127.0.0.2/"}, "url"),
        ({"url": "http://example.com/"}, "url"),
        ({"url": "https://127.1/"}, "url"),
        ({"url": "https://no-such-name.invalid/"}, "url"),
        ({"url": "http://127.0.0.1/", "types": ["bot.unknown"]}, "types"),
        ({"url": "http://127.0.0.1/", "types": []}, "types"),
        ({"url": "http://127.0.0.1/", "bots": ["bot_999"]}, "bots"),
        ({"url": "http://127.0.0.1/", "bots": []}, "bots"),
    ],
)
def test_what_does_not_fit_is_refused(web: TestClient, own: House, clean: Services, body: Any, field: str) -> None:
    answer = manager(web, own).post(f"/v1/customers/cus_{own.id}/endpoints", body)
    assert answer.status == 422, answer.body
    assert field in str(answer.body["errors"][0])
    assert clean.superuser("SELECT count(*) FROM endpoints") == [(0,)]


def test_another_customers_bot_is_none_that_one_can_listen_to(
    web: TestClient, own: House, receiver: Receiver, clean: Services
) -> None:
    other = house("two", TELEGRAM_ID + 1)
    body = {"url": receiver.url(), "bots": [f"bot_{other.bot.id}"]}
    assert manager(web, own).post(f"/v1/customers/cus_{own.id}/endpoints", body).status == 422
    assert clean.superuser("SELECT count(*) FROM endpoints") == [(0,)]


def test_an_endpoint_is_changed_by_who_has_seen_it_last(web: TestClient, own: House, receiver: Receiver) -> None:
    caller = manager(web, own)
    number = added(caller, own, receiver.url(), description="mine", types=["bot.stopped"])["id"]
    path = f"/v1/endpoints/{number}"
    changed = caller.ask("PATCH", path, {"types": None, "status": "disabled"}, {"If-Match": '"1"'})
    assert (changed.status, changed.headers["etag"]) == (200, '"2"')
    assert [changed.body[name] for name in ("types", "status", "description")] == [None, "disabled", "mine"]
    assert caller.ask("PATCH", path, {"description": "x"}, {"If-Match": '"1"'}).status == 412
    assert caller.ask("DELETE", path, None, {"If-Match": '"1"'}).status == 412
    assert caller.ask("DELETE", path, None, {"If-Match": None}).status == 428
    rotated = caller.post(f"{path}/rotate-secret")
    assert (rotated.status, rotated.body["version"], rotated.body["secret"][:6]) == (201, 3, "whsec_")
    assert caller.delete(path).status == 204
    assert caller.get(path).status == 404


async def test_what_was_sent_is_listed_with_its_attempts_and_sent_again(
    web: TestClient, own: House, receiver: Receiver, sender: Sender
) -> None:
    caller = manager(web, own)
    path = f"/v1/endpoints/{added(caller, own, receiver.url())['id']}"
    receiver.status = 500
    happen(own.bot.id)
    await send_all(sender)
    receiver.status = 200
    tested = caller.post(f"{path}/test")
    assert (tested.status, tested.body["type"], tested.body["eventId"]) == (201, "endpoint.test", None)
    await send_all(sender)
    listed = caller.get(f"{path}/messages").body["items"]
    other = f"/v1/endpoints/{added(caller, own, receiver.url('/other'))['id']}/messages/{listed[0]['id']}"
    assert (caller.get(other).status, caller.post(f"{other}/resend").status) == (404, 404)
    assert [one["state"] for one in listed] == ["delivered", "waiting"]
    assert [one["id"] for one in caller.get(f"{path}/messages?state=waiting").body["items"]] == [listed[1]["id"]]
    page = caller.get(f"{path}/messages?limit=1").body
    assert caller.get(page["next"].removeprefix("/api")).body["items"] == [listed[1]]
    seen = caller.get(f"{path}/messages/{listed[1]['id']}").body
    assert seen["body"] == receiver.got[0].body.decode()
    assert [(one["status"], one["error"], one["answer"]) for one in seen["log"]] == [(500, "it answered 500", "thanks")]
    assert caller.post(f"{path}/messages/{listed[1]['id']}/resend").status == 200
    await send_all(sender)
    assert caller.get(f"{path}/messages/{listed[1]['id']}").body["state"] == "delivered"
    assert caller.post(f"{path}/recover", {"since": datetime.now(UTC).isoformat()}).body == {"again": 0}
    for wrong in ({"since": 5}, {"since": "soon"}, {}, {"since": "2020-01-01T00:00:00Z"}):
        assert caller.post(f"{path}/recover", wrong).status == 422


def test_what_is_anothers_is_not_found(web: TestClient, own: House, receiver: Receiver) -> None:
    other = house("two", TELEGRAM_ID + 1)
    theirs = added(manager(web, other), other, receiver.url())["id"]
    message = manager(web, other).post(f"/v1/endpoints/{theirs}/test").body["id"]
    mine = added(manager(web, own), own, receiver.url())["id"]
    caller = Caller(web, own.tokens[Role.OWNER])
    for method, path in (
        ("GET", f"endpoints/{theirs}"), ("PATCH", f"endpoints/{theirs}"), ("DELETE", f"endpoints/{theirs}"),
        ("POST", f"endpoints/{theirs}/rotate-secret"), ("POST", f"endpoints/{theirs}/test"),
        ("GET", f"endpoints/{theirs}/messages"), ("GET", f"endpoints/{theirs}/messages/{message}"),
        ("GET", f"endpoints/{mine}/messages/{message}"), ("POST", f"endpoints/{mine}/messages/{message}/resend"),
        ("GET", f"customers/cus_{other.id}/endpoints"),
    ):  # fmt: skip
        body: dict[str, Any] | None = {} if method == "PATCH" else None
        assert caller.ask(method, f"/v1/{path}", body).status == 404, (method, path)
    operator = Caller(web, own.tokens[Role.OPERATOR])
    assert operator.get(f"/v1/endpoints/{mine}").status == 403


def test_events_are_read_on_from_the_last_one(web: TestClient, own: House, clean: Services) -> None:
    happen(own.bot.id, count=5)
    caller = Caller(web, own.tokens[Role.OPERATOR])
    first = caller.get("/v1/events?limit=2").body
    assert [one["type"] for one in first["items"]] == ["bot.stopped"] * 2
    assert first["items"][0]["details"] == {"status": "paused", "reason": "lunch"}
    second = caller.get(first["next"].removeprefix("/api")).body
    last = second["items"][-1]["id"]
    third = caller.get(f"/v1/events?after={last}").body
    assert (len(third["items"]), third["next"]) == (1, None)
    assert caller.get(f"/v1/events?after={third['items'][0]['id']}").body["items"] == []
    assert len(caller.get(f"/v1/events?bot=bot_{own.bot.id}&type=bot.stopped").body["items"]) == 5
    assert caller.get("/v1/events?type=bot.added").body["items"] == []
    other = house("two", TELEGRAM_ID + 1)
    happen(other.bot.id)
    ((theirs,),) = clean.superuser("SELECT max(id) FROM events")
    assert caller.get("/v1/events?type=bot.nothing").status == 422
    assert caller.get(f"/v1/events?after=evt_{theirs}").status == 422
    assert caller.get(f"/v1/events?bot=bot_{other.bot.id}").status == 404
    assert caller.get(f"/v1/events?customer=cus_{other.id}").status == 404
    assert Caller(web, own.tokens[Role.VIEWER]).get("/v1/events").status == 403
    assert (
        Caller(web, superadmin()).get(f"/v1/events?customer=cus_{other.id}").body["items"][0]["id"] == f"evt_{theirs}"
    )


def test_a_key_for_one_bot_reaches_its_events_and_its_endpoints_only(
    web: TestClient, own: House, receiver: Receiver
) -> None:
    second = make_bot(TELEGRAM_ID + 9, customer_id=own.id, token=f"{TELEGRAM_ID + 9}:{'a' * 35}")
    happen(own.bot.id)
    happen(second.id)
    caller = Caller(web, new_token(TokenWanted("one-owner", "one", Role.OWNER)).token)
    wide = added(caller, own, receiver.url())["id"]
    wanted = {
        "name": "narrow", "customerId": f"cus_{own.id}", "bots": [f"bot_{own.bot.id}"],
        "scopes": ["endpoints:write", "events:read"],
    }  # fmt: skip
    made = caller.post("/v1/keys", wanted)
    assert made.status == 201, made.body
    narrow = Caller(web, made.body["key"])
    assert {one["botId"] for one in narrow.get("/v1/events").body["items"]} == {f"bot_{own.bot.id}"}
    assert narrow.get(f"/v1/events?bot=bot_{second.id}").status == 404
    assert narrow.get(f"/v1/endpoints/{wide}").status == 404
    path = f"/v1/customers/cus_{own.id}/endpoints"
    assert narrow.get(path).body["items"] == []
    for bots in (None, [f"bot_{second.id}"]):
        assert narrow.post(path, {"url": receiver.url(), "bots": bots}).status == 422
    mine = added(narrow, own, receiver.url(), bots=[f"bot_{own.bot.id}"])["id"]
    assert narrow.patch(f"/v1/endpoints/{mine}", {"bots": None}).status == 422
    assert narrow.get(f"/v1/endpoints/{mine}").status == 200
