"""What holds for every route: repetitions, versions, parts of lists, ids. With a few routes of our own."""

import random
import string
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, Response
from sqlalchemy import select
from starlette.testclient import TestClient

from botyard.accounts import idempotency
from botyard.accounts.access import Actor, NotFound
from botyard.accounts.records import TokenWanted
from botyard.accounts.services import new_token
from botyard.errors import InputError, Stale
from botyard.processing.retention import prune
from botyard.web.api.application import Api
from botyard.web.api.ids import BotId, ShownBotId
from botyard.web.api.pages import Page, PageAsked
from botyard.web.api.problems import explain_errors
from botyard.web.api.rights import Need, SignedIn, creates, needs
from botyard.web.api.routes import Route
from botyard.web.api.shapes import Given, Shown
from botyard.web.api.versions import Expected, tagged
from db.claims import Claim, Overtaken, serving, took_effect
from db.engine import get_sessions
from db.models import Customer, Person
from tests.integration.api.callers import Answer, Caller, superadmin
from tests.services import Services


class Wanted(Given):
    name: str


class Thing(Shown):
    id: int
    name: str


@dataclass
class Yard:
    """What goes wrong in the routes below, and what they made."""

    fails: Exception | None = None
    refuses: Exception | None = None
    """What whoever repeats a request is told when its answer is to be given again."""
    ids: list[int] = field(default_factory=list)

    def again(self, actor: Actor, customer: int) -> "Thing":
        del actor
        if self.refuses is not None:
            raise self.refuses
        return shown(customer)


def shown(customer: int) -> Thing:
    with get_sessions("system")() as session:
        return Thing(id=customer, name=session.get_one(Customer, customer).name)


def routes(yard: Yard) -> APIRouter:
    router = APIRouter(route_class=Route)

    @router.post("/v1/things", status_code=201)
    @needs(Need.SIGNED_IN)
    @creates(yard.again)
    def make(actor: SignedIn, wanted: Wanted, response: Response) -> Thing:
        del actor
        if wanted.name == "unfit":
            raise InputError("name", "is unfit.", "Take another one.")
        with get_sessions("system").begin() as session:
            row = Customer(name=wanted.name, username=None, version=1)
            session.add(row)
            session.flush()
            took_effect(session, customer=row.id)
            yard.ids.append(row.id)
        if yard.fails is not None:
            raise yard.fails
        return tagged(response, 1, shown(row.id))

    @router.put("/v1/things/{bot}")
    @needs(Need.SIGNED_IN)
    def change(actor: SignedIn, bot: BotId, expected: Expected) -> dict[str, Any]:
        del actor
        if expected not in {None, 3}:
            raise Stale(3)
        return {"bot": bot, "expected": expected}

    @router.get("/v1/things")
    @needs(Need.SIGNED_IN)
    def parts(actor: SignedIn, asked: PageAsked) -> Page[ShownBotId]:
        del actor
        first = (asked.after(int) or (0,))[0]
        items = list(range(first + 1, min(first + asked.limit, 7) + 1))
        return Page.of(asked, items, [items[-1]] if items and items[-1] < 7 else None)

    return router


@pytest.fixture
def yard() -> Yard:
    return Yard()


@pytest.fixture
def caller(clean: Services, yard: Yard) -> Iterator[Caller]:  # noqa: ARG001 - the process finds it
    app = Api(openapi_url=None)
    explain_errors(app)
    app.include_router(routes(yard))
    outer = FastAPI()
    outer.mount("/api", app)
    with TestClient(outer, raise_server_exceptions=False) as client:
        yield Caller(client, superadmin())


def asker() -> int:
    """The row of the person who asks."""
    with get_sessions("system")() as session:
        return session.scalars(select(Person.id)).one()


def send(caller: Caller, key: str | None, name: str = "one") -> Answer:
    return caller.ask("POST", "/v1/things", {"name": name}, {"Idempotency-Key": key})


def test_a_repeated_request_makes_it_once_and_is_answered_as_before(caller: Caller, yard: Yard) -> None:
    first = send(caller, "k")
    repeated = send(caller, "k")
    assert (first.status, repeated.status) == (201, 201)
    assert first.body == repeated.body
    assert repeated.headers["etag"] == first.headers["etag"]
    assert repeated.headers["idempotency-replayed"] == "true"
    assert len(yard.ids) == 1


def test_another_body_with_the_same_key_is_refused_and_another_persons_key_is_another(
    caller: Caller, yard: Yard
) -> None:
    send(caller, "k")
    assert send(caller, "k", "two").status == 422
    somebody = Caller(caller.web, new_token(TokenWanted("somebody")).token)
    assert send(somebody, "k", "two").status == 201
    assert len(yard.ids) == 2


def test_a_request_with_a_query_of_any_length_is_known_again_and_one_with_another_query_is_another(
    caller: Caller, yard: Yard
) -> None:
    def ask(query: str) -> Answer:
        return caller.ask("POST", f"/v1/things?{query}", {"name": "one"}, {"Idempotency-Key": "k"})

    # So random that it cannot be made short enough for an index.
    long = "".join(random.Random(5).choices(string.ascii_letters + string.digits, k=6000))
    assert [ask(query).status for query in (long, long, long + "a")] == [201, 201, 201]
    assert len(yard.ids) == 2


@pytest.mark.parametrize("key", [None, "", "x" * 256, "a\tb"])
def test_what_makes_something_needs_a_key(caller: Caller, yard: Yard, key: str | None) -> None:
    answer = send(caller, key)
    assert (answer.status, yard.ids) == (400, [])
    assert answer.body["type"].endswith("#key-needed")


def test_an_answer_is_given_again_only_to_whoever_may_still_see_what_was_made(caller: Caller, yard: Yard) -> None:
    assert send(caller, "k").status == 201
    yard.refuses = NotFound()
    assert send(caller, "k").status == 404
    assert len(yard.ids) == 1


def test_a_key_of_a_request_that_made_nothing_is_free_again(caller: Caller) -> None:
    assert send(caller, "k", "unfit").status == 422
    assert send(caller, "k", "fit").status == 201


def test_a_request_whose_answer_was_lost_after_its_effect_is_answered_from_what_it_made(
    caller: Caller, yard: Yard
) -> None:
    yard.fails = RuntimeError("the process dies here")
    assert send(caller, "k").status == 500
    yard.fails = None
    repeated = send(caller, "k")
    assert (repeated.status, repeated.body) == (201, {"id": yard.ids[0], "name": "one"})
    assert len(yard.ids) == 1


def test_of_two_requests_at_once_the_second_waits_its_turn(caller: Caller) -> None:
    route = idempotency.route_of("POST", "/api/v1/things", b"/api/v1/things?")
    claim = idempotency.begin(asker(), route, "k", b'{"name":"one"}')
    answer = send(caller, "k")
    assert (answer.status, answer.headers["retry-after"]) == (409, "2")
    assert isinstance(claim, Claim)
    idempotency.give_back(claim)
    assert send(caller, "k").status == 201


def test_whoever_was_taken_for_dead_makes_nothing_any_more(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    del caller
    monkeypatch.setattr(idempotency, "_RUNS", timedelta(seconds=-1))
    slow = idempotency.begin(asker(), "r", "k", b"")
    monkeypatch.setattr(idempotency, "_RUNS", timedelta(seconds=60))
    fast = idempotency.begin(asker(), "r", "k", b"")
    assert isinstance(slow, Claim)
    assert isinstance(fast, Claim)
    with pytest.raises(Overtaken), serving(slow), get_sessions("system").begin() as session:
        took_effect(session, customer=1)
    with serving(fast), get_sessions("application").begin() as session:
        took_effect(session, customer=1)
    assert idempotency.begin(asker(), "r", "k", b"") == idempotency.Made({"customer": 1})


def test_a_change_says_which_version_it_is_for(caller: Caller) -> None:
    def put(match: str | None) -> int:
        return caller.ask("PUT", "/v1/things/bot_5", {}, {"If-Match": match}).status

    assert [put(match) for match in ('"3"', "*", '"2"', None, "3", '"x"')] == [200, 200, 412, 428, 422, 422]


@pytest.mark.parametrize("number", ["bot_0", "bot_", "5", "cus_5", "bot_99999999999999999999", "bot_5x"])
def test_what_can_be_the_id_of_nothing_is_not_found(caller: Caller, number: str) -> None:
    assert caller.ask("PUT", f"/v1/things/{number}", {}).status == 404


def test_a_list_is_followed_by_its_links_to_its_end(caller: Caller) -> None:
    seen, path = [], "/v1/things?limit=3"
    while path:
        answer = caller.get(path).body
        seen += answer["items"]
        path = (answer["next"] or "").removeprefix("/api")
    assert seen == [f"bot_{number}" for number in range(1, 8)]


@pytest.mark.parametrize("cursor", ["x", "W10", "WyJhIl0", "%00", "bnVsbA", "WzFlOTld", "e30"])
def test_a_cursor_that_this_list_did_not_give_is_refused(caller: Caller, cursor: str) -> None:
    answer = caller.get(f"/v1/things?cursor={cursor}")
    assert (answer.status, answer.body["errors"][0]["field"]) == (422, "cursor")


def test_every_answer_names_its_request(caller: Caller) -> None:
    answer = caller.get("/v1/things?limit=0")
    assert answer.body["instance"] == f"urn:uuid:{answer.headers['x-request-id']}"


def test_requests_sign_ins_and_links_of_long_ago_are_forgotten_and_later_ones_are_not(
    clean: Services, caller: Caller
) -> None:
    for key in ("old", "new"):
        assert send(caller, key).status == 201
    long_ago = "now() - interval '4 days'"
    clean.superuser(
        f"UPDATE idempotency_keys SET created_at = {long_ago} WHERE key = 'old'",  # noqa: S608 - our own words
        *(
            f"INSERT INTO sign_ins (person_id, digest, expires_at) VALUES ({asker()}, '', {expires})"  # noqa: S608
            for expires in (long_ago, "now()")
        ),
        *(
            f"INSERT INTO invitations (digest, purpose, expires_at) VALUES ('{name}', 'first', {expires})"  # noqa: S608
            for name, expires in (("a", long_ago), ("b", "now()"))
        ),
    )
    assert prune() == 3
    assert clean.superuser("SELECT key FROM idempotency_keys") == [("new",)]
    assert send(caller, "new").headers["idempotency-replayed"] == "true"
