"""Each route of the REST API with each role: made from the route table, so that a new route is in it, too."""

import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
from fastapi import APIRouter
from fastapi.routing import iter_route_contexts
from starlette.datastructures import State
from starlette.testclient import TestClient

from botyard.accounts.customers import suspend_customer
from botyard.accounts.roles import Role
from botyard.web.api.application import build_api
from botyard.web.api.rights import Need, Route, needs
from botyard.web.front import build_app
from tests.factories import TELEGRAM_ID
from tests.integration.api.callers import Answer, Caller, House, house, superadmin
from tests.services import Services

Table = list[tuple[str, str, Need | Role]]
BODIES: Final[dict[tuple[str, str], Any]] = {
    ("POST", "/customers"): {"username": "made_by_the_matrix"},
    ("PUT", "/customers/my-profile"): {"name": "Named by the matrix"},
}
NOBODY: Final = 999_999_999
ADMITTED: Final = {200, 201, 202, 422}


def table() -> Table:
    """Every route: method, path, and what it needs."""
    found: Table = []
    for context in iter_route_contexts(build_api(State()).routes):
        route = context.original_route
        assert isinstance(route, Route), route
        found += [(method, str(context.path), route.need) for method in sorted(context.methods or ())]
    return found


TABLE: Final = table()
OF_OBJECTS: Final = [line for line in TABLE if "{" in line[1]]


@pytest.fixture
def houses(clean: Services) -> tuple[House, House]:  # noqa: ARG001 - the rows go into the emptied database
    return house("one", TELEGRAM_ID), house("two", TELEGRAM_ID + 1)


@pytest.fixture
def web(houses: tuple[House, House]) -> Iterator[TestClient]:  # noqa: ARG001 - the process finds them in the database
    with TestClient(build_app(), raise_server_exceptions=False) as client:
        yield client


def path_of(path: str, customer: int, bot: int) -> str:
    filled = path.replace("{customer_id}", str(customer)).replace("{bot_id}", str(bot))
    assert "{" not in filled, f"this test does not know what {path} names"
    return filled


def asked(web: TestClient, token: str | None, line: tuple[str, str, Need | Role], customer: int, bot: int) -> Answer:
    method, path, _ = line
    return Caller(web, token).ask(method, path_of(path, customer, bot), BODIES.get((method, path)))


def test_the_table_is_complete() -> None:
    assert {("POST", "/customers"), ("GET", "/bots/{bot_id}"), ("GET", "/messages/bot-manager-stats")} <= {
        (method, path) for method, path, _ in TABLE
    }


def test_a_route_that_does_not_say_what_it_needs_makes_no_application() -> None:
    router = APIRouter(route_class=Route)
    with pytest.raises(TypeError, match="does not say what it needs"):
        router.get("/open")(lambda: None)
    router.get("/closed")(needs(Need.SIGNED_IN)(lambda: None))


@pytest.mark.parametrize("line", TABLE, ids=str)
def test_nobody_is_let_in_without_a_token(
    web: TestClient, houses: tuple[House, House], line: tuple[str, str, Need | Role]
) -> None:
    own, _ = houses
    for token in (None, "", "by_" + "a" * 43):
        answer = asked(web, token, line, own.id, own.bot.id)
        assert answer.status == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("line", TABLE, ids=str)
def test_each_role_may_do_what_the_route_says_and_no_more(
    web: TestClient, houses: tuple[House, House], line: tuple[str, str, Need | Role]
) -> None:
    own, _ = houses
    for role in Role:
        answer = asked(web, own.tokens[role], line, own.id, own.bot.id)
        need = line[2]
        admitted = role >= need if isinstance(need, Role) else need is Need.SIGNED_IN
        assert (answer.status in ADMITTED) if admitted else answer.status == 403, (role, answer)
    answer = asked(web, superadmin(), line, own.id, own.bot.id)
    assert answer.status in ADMITTED, answer


@pytest.mark.parametrize("line", OF_OBJECTS, ids=str)
def test_what_is_anothers_is_not_found_whatever_the_role(
    web: TestClient, houses: tuple[House, House], line: tuple[str, str, Need | Role]
) -> None:
    own, other = houses
    for role in Role:
        theirs = asked(web, own.tokens[role], line, other.id, other.bot.id)
        nobodys = asked(web, own.tokens[role], line, NOBODY, NOBODY)
        assert theirs.status == 404
        assert (theirs.status, theirs.body) == (nobodys.status, nobodys.body)
        same = {"content-type", "content-length"}
        assert {name: theirs.headers[name] for name in same} == {name: nobodys.headers[name] for name in same}
    assert asked(web, superadmin(), line, NOBODY, NOBODY).status == 404


@pytest.mark.parametrize("line", TABLE, ids=str)
def test_no_answer_holds_anything_of_another(
    web: TestClient, houses: tuple[House, House], line: tuple[str, str, Need | Role]
) -> None:
    own, other = houses
    answer = asked(web, own.tokens[Role.OWNER], line, own.id, own.bot.id)
    told = str(answer.body)
    assert "two" not in told
    assert str(other.bot.telegram_id) not in told
    assert not re.search(r"secret|hash|sealed|encrypted|public_?id", told, re.IGNORECASE)


@pytest.mark.parametrize("line", TABLE, ids=str)
def test_a_suspended_customers_people_are_told_so_and_nothing_else(
    web: TestClient, houses: tuple[House, House], line: tuple[str, str, Need | Role]
) -> None:
    own, _ = houses
    suspend_customer(own.id)
    for role in Role:
        answer = asked(web, own.tokens[role], line, own.id, own.bot.id)
        assert answer.status == 403
        if line[2] is not Need.SUPERADMIN or "{" in line[1]:
            assert "suspended" in answer.body["detail"]


@pytest.mark.parametrize("customer", ["of another", "of nobody"])
def test_nobody_acts_for_another_by_naming_it(web: TestClient, houses: tuple[House, House], customer: str) -> None:
    own, other = houses
    number = other.id if customer == "of another" else NOBODY
    caller = Caller(web, own.tokens[Role.OWNER])
    assert caller.get(f"/customers/my-profile?customer={number}").status == 404
    assert caller.put(f"/customers/my-profile?customer={number}", {"name": "stolen"}).status == 404
    bot = other.bot.id if customer == "of another" else NOBODY
    given = {"bot": bot, "botToken": f"{TELEGRAM_ID}:{'a' * 35}"}
    assert caller.put("/customers/my-profile", given).status == 404
