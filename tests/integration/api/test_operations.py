"""Operations and exports over the API: whose they are, how they are told, ended and taken away."""

import io
import zipfile

import pytest
from starlette.testclient import TestClient

from botyard.accounts.records import TokenWanted
from botyard.accounts.roles import Role
from botyard.accounts.services import find_bearer, new_token
from botyard.operations import Runner, Wanted, begin
from botyard.operations.running import run
from db.acting import acting_as
from db.engine import get_sessions
from db.models import AccessToken
from tasks.operations import RUNNERS
from tests.factories import TELEGRAM_ID
from tests.integration.api.callers import Caller, House, house
from tests.integration.operations.planted import ZELDA, Plot
from tests.services import Services


@pytest.fixture
def acme(web: TestClient) -> House:  # noqa: ARG001 - with its database
    return house("acme", TELEGRAM_ID)


def as_(web: TestClient, owner: House, role: Role) -> Caller:
    return Caller(web, owner.tokens[role])


def test_an_export_is_begun_followed_and_taken_away(web: TestClient, acme: House) -> None:
    manager = as_(web, acme, Role.MANAGER)
    begun = manager.post(f"/v1/bots/bot_{acme.bot.id}/exports")
    assert begun.status == 202
    assert (begun.body["kind"], begun.body["state"]) == ("bot.export", "queued")
    assert (begun.body["botId"], begun.body["customerId"]) == (f"bot_{acme.bot.id}", f"cus_{acme.id}")
    place = f"/v1/operations/{begun.body['id']}"
    file = f"/v1/exports/{begun.body['id']}/file"
    assert manager.get(file).status == 404
    run(int(begun.body["id"].removeprefix("op_")), RUNNERS)
    done = manager.get(place)
    assert (done.body["state"], done.body["error"], done.body["cancelling"]) == ("done", None, False)
    again = manager.ask("GET", place, headers={"If-None-Match": done.headers["etag"]})
    assert again.status == 304
    taken = web.get(f"/api{file}", headers={"Authorization": f"Bearer {manager.token}"})
    assert taken.status_code == 200
    assert taken.headers["content-disposition"] == f'attachment; filename="bot-{acme.bot.id}.zip"'
    assert int(taken.headers["content-length"]) == len(taken.content) == done.body["result"]["bytes"]
    with zipfile.ZipFile(io.BytesIO(taken.content)) as found:
        assert "manifest.json" in found.namelist()
    assert as_(web, acme, Role.OPERATOR).get(file).status == 403


def test_a_request_that_is_repeated_begins_one_export(web: TestClient, acme: House, clean: Services) -> None:
    manager, path = as_(web, acme, Role.MANAGER), f"/v1/bots/bot_{acme.bot.id}/exports"
    answers = [manager.ask("POST", path, headers={"Idempotency-Key": "same"}) for _ in range(2)]
    # The process died between the commit and its answer.
    clean.superuser("UPDATE idempotency_keys SET state = 'running', status = NULL, answer = NULL")
    answers.append(manager.ask("POST", path, headers={"Idempotency-Key": "same"}))
    assert [one.status for one in answers] == [202, 202, 202]
    assert len({one.body["id"] for one in answers}) == 1
    assert len(manager.get("/v1/operations").body["items"]) == 1


def test_what_was_answered_is_not_told_again_to_a_key_of_the_same_person_for_another_bot(
    web: TestClient, acme: House
) -> None:
    manager, path = as_(web, acme, Role.MANAGER), f"/v1/bots/bot_{acme.bot.id}/exports"
    assert manager.ask("POST", path, headers={"Idempotency-Key": "same"}).status == 202
    made = new_token(TokenWanted(f"acme-{Role.MANAGER}", "acme", Role.MANAGER))
    with get_sessions("system").begin() as session:
        session.get_one(AccessToken, made.id).bots = [999]
    assert Caller(web, made.token).ask("POST", path, headers={"Idempotency-Key": "same"}).status == 404


def test_nobody_sees_or_ends_what_belongs_to_another(web: TestClient, acme: House, root: Caller) -> None:
    other = house("other", TELEGRAM_ID + 1)
    number = begin(Wanted("test", acme.id, acme.bot.id))
    of_all = begin(Wanted("test"))
    theirs = as_(web, other, Role.OWNER)
    for path in (f"/v1/operations/op_{number}", f"/v1/operations/op_{of_all}", f"/v1/exports/op_{number}/file"):
        assert theirs.get(path).status == 404
    assert theirs.post(f"/v1/operations/op_{number}/cancel").status == 404
    assert theirs.get("/v1/operations").body["items"] == []
    assert theirs.get(f"/v1/operations?customer=cus_{acme.id}").body["items"] == []
    mine = as_(web, acme, Role.VIEWER).get("/v1/operations").body["items"]
    assert [one["id"] for one in mine] == [f"op_{number}"]
    assert [one["id"] for one in root.get("/v1/operations").body["items"]] == [f"op_{of_all}", f"op_{number}"]


def test_an_operator_ends_their_own_a_manager_everybodys_and_that_is_recorded(
    web: TestClient, acme: House, clean: Services
) -> None:
    number = begin(Wanted("test", acme.id, acme.bot.id))
    path = f"/v1/operations/op_{number}/cancel"
    viewer, operator, manager = (as_(web, acme, role) for role in (Role.VIEWER, Role.OPERATOR, Role.MANAGER))
    assert viewer.post(path).status == 403
    assert operator.post(path).status == 403
    ended = manager.post(path)
    assert (ended.status, ended.body["state"]) == (200, "cancelled")
    assert manager.post(path).body == ended.body
    acts = clean.superuser("SELECT action, after FROM audit WHERE entity LIKE 'operations:%' ORDER BY id")
    assert acts == [("created", {"kind": "test"}), ("updated", {"cancelled": True})]
    person = find_bearer(acme.tokens[Role.OPERATOR])
    assert person is not None
    with acting_as(f"person:{person.person_id}"):
        own = begin(Wanted("test", acme.id, acme.bot.id))
    assert operator.post(f"/v1/operations/op_{own}/cancel").body["state"] == "cancelled"


def test_the_list_goes_on_by_its_link_and_is_cut_by_filters(web: TestClient, acme: House) -> None:
    numbers = [begin(Wanted("a" if n % 2 else "b", acme.id, acme.bot.id)) for n in range(5)]
    run(numbers[0], {"b": Runner(lambda _: {})})
    viewer, seen, path = as_(web, acme, Role.VIEWER), [], "/v1/operations?limit=2"
    while path:
        part = viewer.get(path).body
        seen += [one["id"] for one in part["items"]]
        path = (part["next"] or "").removeprefix("/api")
    assert seen == [f"op_{number}" for number in reversed(numbers)]
    for query, count in (("kind=b", 3), ("state=done", 1), (f"bot=bot_{acme.bot.id}", 5), ("bot=bot_999", 0)):
        assert len(viewer.get(f"/v1/operations?{query}").body["items"]) == count, query
    assert viewer.get("/v1/operations?state=odd").status == 422
    assert viewer.get("/v1/operations?kind=%00").status == 422
    assert as_(web, acme, Role.MANAGER).post("/v1/bots/bot_%00/exports").status == 404


@pytest.fixture
def limited(web: TestClient, acme: House) -> Caller:
    """An owner's key for another bot only."""
    made = new_token(TokenWanted("someone", "acme", Role.OWNER))
    with get_sessions("system").begin() as session:
        session.get_one(AccessToken, made.id).bots = [999]
    assert acme
    return Caller(web, made.token)


def test_a_key_for_other_bots_reaches_nothing_of_this_one(acme: House, limited: Caller) -> None:
    number = begin(Wanted("test", acme.id, acme.bot.id))
    assert limited.get(f"/v1/operations/op_{number}").status == 404
    assert limited.get("/v1/operations").body["items"] == []
    erasure = {"userId": "7001"}
    for path, body in (
        (f"/v1/bots/bot_{acme.bot.id}/exports", None),
        (f"/v1/bots/bot_{acme.bot.id}/users/7001/erasure", None),
        (f"/v1/customers/cus_{acme.id}/erasures", erasure),
        ("/v1/bots/batch", {"bots": [{"token": f"{TELEGRAM_ID + 5}:{'a' * 35}"}]}),
    ):
        assert limited.post(path, body).status == 404, path
    assert limited.get(f"/v1/customers/cus_{acme.id}/users/7001/export").status == 404


def test_a_person_is_taken_away_and_then_forgotten(web: TestClient, acme: House, clean: Services) -> None:
    manager = as_(web, acme, Role.MANAGER)
    Plot(clean, acme.bot).person(ZELDA, 200)
    export = f"/v1/bots/bot_{acme.bot.id}/users/{ZELDA}/export"
    taken = manager.get(export)
    assert (taken.status, taken.body["bots"][0]["users"][0]["firstName"]) == (200, "Zelda")
    assert taken.headers["cache-control"] == "no-store"
    assert manager.get(f"/v1/customers/cus_{acme.id}/users/{ZELDA}/export").body["userId"] == str(ZELDA)
    begun = manager.post(f"/v1/bots/bot_{acme.bot.id}/users/{ZELDA}/erasure")
    assert (begun.status, begun.body["kind"]) == (202, "person.erase")
    run(int(begun.body["id"].removeprefix("op_")), RUNNERS)
    done = manager.get(f"/v1/operations/{begun.body['id']}").body
    assert (done["state"], done["result"]["bots"]) == ("done", 1)
    assert str(ZELDA) not in str(done)
    assert manager.get(export).status == 404
    assert clean.superuser("SELECT route FROM idempotency_keys WHERE route LIKE '%erasure%'") == []


def test_of_every_bot_they_are_forgotten_by_their_number(web: TestClient, acme: House) -> None:
    manager, path = as_(web, acme, Role.MANAGER), f"/v1/customers/cus_{acme.id}/erasures"
    assert manager.post(path, {"userId": "-1001"}).status == 422
    assert manager.post(path, {"userId": 7001}).status == 422
    begun = manager.post(path, {"userId": "7001"})
    assert (begun.status, begun.body["botId"]) == (202, None)
    assert as_(web, acme, Role.OPERATOR).post(path, {"userId": "7001"}).status == 403


def test_many_bots_are_begun_with_and_their_tokens_shown_nowhere(web: TestClient, acme: House) -> None:
    manager = as_(web, acme, Role.MANAGER)
    secret = "AAEhBOweik6ad6PsWZGUUUvE8nsXTWZl0aM"
    given = {"bots": [{"token": f"{TELEGRAM_ID + 5}:{secret}", "kind": "demo", "label": "first"}]}
    begun = manager.post("/v1/bots/batch", given)
    assert (begun.status, begun.body["kind"], begun.body["total"]) == (202, "bots.add", 1)
    wrong = manager.post("/v1/bots/batch", {"bots": [*given["bots"], {"token": "nonsense-secret"}]})
    assert wrong.status == 422
    seen = [begun, wrong, manager.get("/v1/operations")]
    assert not [one for one in seen if secret in str(one.body) or "nonsense-secret" in str(one.body)]
