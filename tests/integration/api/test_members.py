"""Who acts for a customer, and the links with which they come."""

import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest
from sqlalchemy import select, text, update
from starlette.testclient import TestClient

from botyard.accounts import invitations, people
from botyard.accounts import members as members_service
from botyard.accounts.access import actor_of
from botyard.accounts.customers import add_customer
from botyard.accounts.members import change_role, remove_member
from botyard.accounts.roles import Role
from botyard.accounts.services import revoke_token
from botyard.errors import InputError
from db.engine import get_sessions
from db.models import AuditEntry, Invitation
from tests.integration.api.callers import Answer, Caller
from tests.integration.api.people import PASSWORD, add_person, sign_in, signed_in


@pytest.fixture
def acme(web: TestClient) -> int:
    del web
    return add_customer("acme").id


@pytest.fixture
def anna(web: TestClient, acme: int) -> Caller:
    """The only owner, signed in; her number is 1."""
    add_person("anna", {acme: Role.OWNER})
    return signed_in(web, "anna")


@pytest.fixture
def members(acme: int) -> str:
    return f"/v1/customers/cus_{acme}/members"


@pytest.fixture
def links(acme: int) -> str:
    return f"/v1/customers/cus_{acme}/invitations"


def code_of(answer: Answer) -> str:
    assert answer.status == 201, answer
    link: str = answer.body["link"]
    address, _, code = link.partition("#")
    assert address == "http://testserver/welcome"
    return code


def redeemed(web: TestClient, code: str, **given: str) -> Answer:
    return Caller(web).post("/v1/invitations/redeem", {"code": code, "password": PASSWORD} | given)


def test_an_owner_sees_and_changes_who_acts_for_their_customer(anna: Caller, acme: int, members: str) -> None:
    ben = add_person("ben", {acme: Role.VIEWER})
    seen = [(one["name"], one["role"]) for one in anna.get(members).body["items"]]
    assert seen == [("anna", "owner"), ("ben", "viewer")]
    tag = anna.get(f"{members}/per_{ben}").headers["etag"]
    changed = anna.ask("PATCH", f"{members}/per_{ben}", {"role": "manager"}, {"If-Match": tag})
    assert (changed.status, changed.body["role"], changed.headers["etag"]) == (200, "manager", '"2"')
    assert anna.ask("PATCH", f"{members}/per_{ben}", {"role": "viewer"}, {"If-Match": tag}).status == 412
    assert anna.ask("DELETE", f"{members}/per_{ben}", None, {"If-Match": None}).status == 428
    assert anna.delete(f"{members}/per_{ben}").status == 204
    assert anna.delete(f"{members}/per_{ben}").status == 404


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR, Role.MANAGER])
def test_nobody_else_does(web: TestClient, acme: int, members: str, links: str, role: Role) -> None:
    add_person("ben", {acme: role})
    ben = signed_in(web, "ben")
    asked = [ben.get(members), ben.delete(f"{members}/per_1"), ben.post(links, {"role": "viewer"}), ben.get(links)]
    assert [one.status for one in asked] == [403] * 4


def test_the_last_owner_stays_but_for_a_superadmin(web: TestClient, anna: Caller, members: str) -> None:
    add_person("root", superadmin=True)
    asked = [anna.patch(f"{members}/per_1", {"role": "manager"}), anna.delete(f"{members}/per_1")]
    assert [one.body["errors"][0]["problem"] for one in asked] == ["this is the last owner."] * 2
    assert anna.patch(f"{members}/per_1", {"role": "owner"}).status == 200
    assert signed_in(web, "root").delete(f"{members}/per_1").status == 204


def test_two_owners_who_demote_each_other_at_once_leave_one(
    anna: Caller, acme: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    both, real = Barrier(2), members_service._keep_an_owner

    def checked(*given: Any) -> None:
        real(*given)
        # If the other one could look now, too, both would see two owners.
        with contextlib.suppress(BrokenBarrierError):
            both.wait(0.7)

    monkeypatch.setattr(members_service, "_keep_an_owner", checked)
    ben = add_person("ben", {acme: Role.OWNER})
    actors = {1: actor_of(anna.token), ben: actor_of(signed_in(anna.web, "ben").token)}

    def demote(whom: int) -> bool:
        try:
            change_role(actors[1 if whom == ben else ben], acme, whom, Role.VIEWER, None)
        except InputError:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(demote, (1, ben))) == [False, True]


def test_who_is_invited_chooses_a_name_and_a_password_and_is_in(anna: Caller, acme: int, links: str) -> None:
    code = code_of(anna.post(links, {"role": "operator"}))
    look = Caller(anna.web).post("/v1/invitations/look", {"code": code}).body
    assert (look["purpose"], look["customer"], look["role"], look["person"]) == ("member", "acme", "operator", None)
    begun = redeemed(anna.web, code, name="ben")
    assert begun.status == 201
    me = Caller(anna.web, begun.body["accessToken"]).get("/v1/me").body
    assert (me["name"], [one["role"] for one in me["customers"]]) == ("ben", ["operator"])
    assert sign_in(anna.web, "ben").status == 201
    assert redeemed(anna.web, code, name="carl").status == 422
    with get_sessions("system")() as session:
        actors = session.scalars(select(AuditEntry.actor).where(AuditEntry.entity == f"memberships:2:{acme}"))
        assert list(actors) == ["invitation:1"]


def test_who_is_signed_in_accepts_with_their_own_name_and_keeps_a_higher_role(
    anna: Caller, links: str, members: str
) -> None:
    add_person("ben")
    ben = signed_in(anna.web, "ben")
    assert ben.post("/v1/invitations/accept", {"code": code_of(anna.post(links, {"role": "manager"}))}).status == 201
    assert ben.post("/v1/invitations/accept", {"code": code_of(anna.post(links, {"role": "viewer"}))}).status == 201
    assert [one["role"] for one in anna.get(members).body["items"]] == ["owner", "manager"]


def test_an_invitation_whose_password_or_name_is_refused_is_still_open(anna: Caller, links: str) -> None:
    code = code_of(anna.post(links, {"role": "viewer"}))
    assert redeemed(anna.web, code, name="ben", password="password1234").status == 422
    assert redeemed(anna.web, code, name="anna").status == 409
    assert redeemed(anna.web, code).status == 422
    assert redeemed(anna.web, code, name="ben").status == 201


def test_a_link_makes_one_person_however_many_use_it_at_once(anna: Caller, links: str) -> None:
    code = code_of(anna.post(links, {"role": "viewer"}))

    def use(name: str) -> bool:
        try:
            invitations.redeem(code, name, PASSWORD, address="192.0.2.1", device=None)
        except InputError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(use, ["ben", "carl", "dora", "ed"])) == [False, False, False, True]


def test_open_invitations_are_listed_without_their_links_and_withdrawn(anna: Caller, links: str) -> None:
    made = anna.post(links, {"role": "viewer"})
    lasts = datetime.fromisoformat(made.body["expiresAt"]) - datetime.now(UTC)
    assert timedelta(hours=71) < lasts <= timedelta(hours=72)
    listed = anna.get(links).body["items"]
    assert listed == [{name: value for name, value in made.body.items() if name != "link"}]
    assert anna.get(f"{links}/{made.body['id']}").body == listed[0]
    assert [anna.delete(f"{links}/{made.body['id']}").status for _ in range(2)] == [204, 404]
    assert redeemed(anna.web, code_of(made), name="ben").status == 422


@pytest.mark.parametrize("code", ["by_link_" + "a" * 43, "x", "\0"])
def test_a_code_of_nothing_is_refused(web: TestClient, code: str) -> None:
    assert Caller(web).post("/v1/invitations/look", {"code": code}).status == 422
    assert redeemed(web, code, name="ben").status == 422


def test_a_link_is_too_old_after_its_time(anna: Caller, links: str) -> None:
    code = code_of(anna.post(links, {"role": "viewer"}))
    with get_sessions("system").begin() as session:
        session.execute(update(Invitation).values(expires_at=datetime.now(UTC)))
    assert redeemed(anna.web, code, name="ben").status == 422


@pytest.mark.parametrize("how", ["removed", "demoted"])
def test_nobody_comes_back_with_an_invitation_that_they_made(
    anna: Caller, acme: int, links: str, members: str, how: str
) -> None:
    ben = add_person("ben", {acme: Role.OWNER})
    caller = signed_in(anna.web, "ben")
    by_ben, by_anna = (code_of(one.post(links, {"role": "owner"})) for one in (caller, anna))
    if how == "removed":
        assert anna.delete(f"{members}/per_{ben}").status == 204
    else:
        assert anna.patch(f"{members}/per_{ben}", {"role": "viewer"}).status == 200
    assert [one["id"] for one in anna.get(links).body["items"]] == ["inv_2"]
    assert caller.post("/v1/invitations/accept", {"code": by_ben}).status == 422
    assert redeemed(anna.web, by_ben, name="carl").status == 422
    assert redeemed(anna.web, by_anna, name="carl").status == 201


def test_an_invitation_is_valid_as_long_as_whoever_made_it_may_make_it(anna: Caller, acme: int, links: str) -> None:
    with get_sessions("system").begin() as session:
        session.execute(text("UPDATE people SET superadmin = true"))
    remove_member(None, acme, 1, None)
    code = code_of(anna.post(links, {"role": "viewer"}))
    assert Caller(anna.web).post("/v1/invitations/look", {"code": code}).status == 200
    with get_sessions("system").begin() as session:
        session.execute(text("UPDATE people SET superadmin = false"))
    assert redeemed(anna.web, code, name="ben").status == 422


@pytest.mark.parametrize("by", ["its person", "the operator"])
def test_with_a_key_go_the_invitations_that_were_made_with_it(anna: Caller, links: str, by: str) -> None:
    made = anna.post("/v1/keys", {"name": "one"}).body
    code = code_of(Caller(anna.web, made["key"]).post(links, {"role": "viewer"}))
    if by == "its person":
        assert anna.delete(f"/v1/keys/{made['id']}").status == 204
        assert anna.get(links).body["items"] == []
    else:
        revoke_token(int(made["id"].removeprefix("key_")))
    assert redeemed(anna.web, code, name="ben").status == 422


@pytest.mark.parametrize("limit", [{"scopes": ["account:write", "account:read"]}, {"expiresDays": 1}])
def test_a_key_with_limits_gives_nobody_a_role(
    anna: Caller, acme: int, links: str, members: str, limit: dict[str, Any]
) -> None:
    ben = add_person("ben", {acme: Role.MANAGER})
    program = Caller(anna.web, anna.post("/v1/keys", {"name": "one"} | limit).body["key"])
    answers = [program.post(links, {"role": "viewer"}), program.patch(f"{members}/per_{ben}", {"role": "owner"})]
    assert [(one.status, one.body["errors"][0]["field"]) for one in answers] == [(422, "key")] * 2
    assert program.patch(f"{members}/per_{ben}", {"role": "viewer"}).status == 200


def test_somebody_who_accepts_two_links_at_once_is_a_member_once(
    anna: Caller, acme: int, links: str, members: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    both, real = Barrier(2), members_service.join
    ben = add_person("ben")
    actor = actor_of(signed_in(anna.web, "ben").token)
    codes = [code_of(anna.post(links, {"role": role})) for role in ("manager", "viewer")]

    def joining(*given: Any) -> None:
        # If the other one could come as far as this now, too, neither would see the other's membership.
        with contextlib.suppress(BrokenBarrierError):
            both.wait(0.7)
        real(*given)

    monkeypatch.setattr(invitations, "join", joining)
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda code: invitations.accept(actor, code), codes)) == [acme] * 2
    assert anna.get(f"{members}/per_{ben}").body["role"] == "manager"


def test_who_changes_a_password_while_a_link_for_it_is_used_is_told_so(
    anna: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    del anna
    both, by_link, by_hand = Barrier(2), invitations._person_of, people.give_password
    link = invitations.password_link("anna")

    def meeting(act: Callable[..., Any], *given: Any) -> Any:
        # If both came as far as this, each would have locked what the other one waits for.
        with contextlib.suppress(BrokenBarrierError):
            both.wait(1.5)
        return act(*given)

    monkeypatch.setattr(invitations, "_person_of", partial(meeting, by_link))
    monkeypatch.setattr(people, "give_password", partial(meeting, by_hand))
    new = "candle orbit moss nineteen"
    with ThreadPoolExecutor(2) as pool:
        using = pool.submit(invitations.redeem, link.code, None, new, address="192.0.2.1", device=None)
        changing = pool.submit(people.change_password, 1, PASSWORD, "candle orbit moss twenty")
        ends = [one.exception(60) for one in (using, changing)]
    refused = [one for one in ends if one is not None]
    assert [type(one) for one in refused] == [InputError]


def test_an_owner_of_another_customer_reaches_none_of_it(anna: Caller, links: str, members: str) -> None:
    made = anna.post(links, {"role": "viewer"})
    other = add_customer("other").id
    add_person("ben", {other: Role.OWNER})
    ben = signed_in(anna.web, "ben")
    own = f"/v1/customers/cus_{other}/invitations"
    assert ben.get(own).status == 200
    for path in (links, members, f"{links}/{made.body['id']}", f"{own}/{made.body['id']}", f"{members}/per_1"):
        assert ben.get(path).status == 404, path
    assert ben.delete(f"{own}/{made.body['id']}").status == 404


def test_a_forgotten_password_is_set_by_a_link_which_ends_every_sign_in(anna: Caller) -> None:
    with pytest.raises(InputError, match="nobody called"):
        invitations.password_link("nobody")
    first = invitations.password_link("anna")
    link = invitations.password_link("anna")
    assert redeemed(anna.web, first.code).status == 422
    old = "candle orbit moss twenty"
    assert anna.put("/v1/me/password", {"old": PASSWORD, "new": old}).status == 204
    assert redeemed(anna.web, link.code).status == 422
    anna = Caller(anna.web, sign_in(anna.web, "anna", old).body["accessToken"])
    link = invitations.password_link("anna")
    assert anna.post("/v1/invitations/accept", {"code": link.code}).status == 422
    assert Caller(anna.web).post("/v1/invitations/look", {"code": link.code}).body["person"] == "anna"
    begun = redeemed(anna.web, link.code, password="candle orbit moss nineteen")
    assert begun.status == 201
    assert anna.get("/v1/me").status == 401
    assert sign_in(anna.web, "anna").status == 401
    assert Caller(anna.web, begun.body["accessToken"]).get("/v1/me").body["name"] == "anna"
