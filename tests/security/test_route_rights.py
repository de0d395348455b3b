"""Each route of the REST API with whoever might ask: made from the route table, so that a new route is in it, too."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
from fastapi import APIRouter
from fastapi.routing import iter_route_contexts
from starlette.datastructures import State
from starlette.testclient import TestClient

from botyard.accounts.customers import suspend_customer
from botyard.accounts.roles import Role
from botyard.accounts.scopes import Scope
from botyard.web.api.application import build_api
from botyard.web.api.rights import Need, Needs, needs
from botyard.web.api.routes import Route
from botyard.web.api.v1 import asking
from botyard.web.front import build_app
from tests.integration.api.callers import Answer, Caller
from tests.security.planted_world import NOBODY, OF_BOTS, PREFIXES, Side, World, plant, values
from tests.services import Services, environment

PLAIN: Final = {"user", "chat", "number", "bot_id", "customer_id"}
NAMES: Final = {"name": "api_key"}
BODIES: Final[dict[str, Any]] = {
    "POST /customers": {"username": "made_by_the_matrix"},
    "PUT /customers/my-profile": {"name": "Named by the matrix"},
    "POST /v1/bots": {"customerId": "cus_12", "token": f"4999999999:{'a' * 35}"},
    "PATCH /v1/bots/{bot}": {"queue": "slow"},
    "PUT /v1/bots/{bot}/token": {"token": f"4999999999:{'a' * 35}"},
    "PATCH /v1/customers/{customer}": {"name": "Named by the matrix"},
    "PUT /v1/bots/{bot}/secrets/{name}": {"secret": "of a bot's code"},
    "PUT /v1/bots/{bot}/configuration": {"configuration": {}},
    "PATCH /v1/bots/{bot}/configuration": {"configuration": {}},
    "POST /v1/sessions/refresh": {"refreshToken": "unknown"},
}
QUERIES: Final = {"POST /v1/bots/{bot}/files": "?name=a.txt"}
MISSING: Final = {
    "DELETE /v1/sessions/current",
    "GET /v1/exports/{operation}/file",
    "GET /v1/bots/{bot}/secrets/{name}",
    "DELETE /v1/bots/{bot}/secrets/{name}",
}
"""What is not there in the planted world: 404 is the answer for those who may, too."""


@dataclass(frozen=True)
class Line:
    """A line of the route table."""

    method: str
    path: str
    needs: Needs

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def names(self) -> list[str]:
        """What its path names."""
        return [part[1:-1] for part in self.path.split("/") if part.startswith("{")]

    @property
    def objects(self) -> set[str]:
        return set(self.names) - NAMES.keys() - {"number"}

    def filled(self, numbers: dict[str, Any]) -> str:
        path = self.path
        for name in self.names:
            bare = name.removesuffix("_id") if name in {"bot_id", "customer_id"} else name
            known = NAMES.get(name) or (str(numbers[bare]) if name in PLAIN else f"{PREFIXES[name]}_{numbers[bare]}")
            path = path.replace(f"{{{name}}}", known)
        return path


def admits(line: Line, role: Role) -> bool:
    """Whether it lets a role do it to what is planted."""
    if str(line) == "POST /v1/operations/{operation}/cancel":
        # It is somebody else's.
        return role >= Role.MANAGER
    return role >= line.needs.who if isinstance(line.needs.who, Role) else line.needs.who is not Need.SUPERADMIN


def table() -> list[Line]:
    """Every route of the API."""
    found = []
    for context in iter_route_contexts(build_api(State()).routes):
        route = context.original_route
        assert isinstance(route, Route), route
        if route.include_in_schema:
            found += [Line(method, str(context.path), route.needs) for method in sorted(context.methods or ())]
    return found


TABLE: Final = table()
CLOSED: Final = [line for line in TABLE if line.needs.who is not Need.NOBODY]
DESCRIBED: Final[dict[str, Any]] = build_api(State()).openapi()


def body_of(line: Line, side: Side) -> Any:
    """A body that fits, about the objects of a side."""
    if str(line) in BODIES:
        found = BODIES[str(line)]
    else:
        operation = DESCRIBED["paths"].get(line.path, {}).get(line.method.lower(), {})
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
        examples = DESCRIBED["components"]["schemas"].get(name, {}).get("examples")
        examples = examples or [one["value"] for one in content.get("examples", {}).values()]
        found = examples[0] if examples else ({} if content else None)
    text = json.dumps(found).replace("bot_31", f"bot_{side.house.bot.id}").replace("cus_12", f"cus_{side.house.id}")
    return json.loads(text)


@pytest.fixture(scope="module")
def world(services: Services) -> World:
    return plant(services)


@pytest.fixture(scope="module")
def web(world: World) -> Iterator[TestClient]:  # noqa: ARG001 - the process finds it in the database
    # Nobody answers what only a worker can.
    patch = pytest.MonkeyPatch()
    patch.setattr(asking, "_WAITS_SECONDS", 0.05)
    limits = {"API_RATE": "0", "API_RATE_CUSTOMER": "0", "API_RATE_ANONYMOUS": "0"}
    with environment(limits), TestClient(build_app(), raise_server_exceptions=False) as client:
        yield client
    patch.undo()


@pytest.fixture
def asked(world: World, web: TestClient) -> Any:
    """Asks, and puts back what was changed."""

    def ask(line: Line, token: str | None, side: Side, numbers: dict[str, Any]) -> Answer:
        path = line.filled(numbers) + QUERIES.get(str(line), "")
        answer = Caller(web, token).ask(line.method, path, body_of(line, side))
        if line.method != "GET" and answer.status < 300:
            world.restore()
        return answer

    return ask


def test_the_table_is_complete() -> None:
    assert {"POST /customers", "GET /v1/bots/{bot}", "GET /messages/bot-manager-stats"} <= set(map(str, TABLE))


def test_a_route_that_does_not_say_what_it_needs_makes_no_application() -> None:
    router = APIRouter(route_class=Route)
    with pytest.raises(TypeError, match="does not say what it needs"):
        router.get("/open")(lambda: None)
    router.get("/closed")(needs(Need.SIGNED_IN)(lambda: None))


@pytest.mark.parametrize("line", CLOSED, ids=str)
def test_nobody_is_let_in_without_a_token(world: World, asked: Any, line: Line) -> None:
    for token in (None, "", "by_" + "a" * 43):
        answer = asked(line, token, world.own, values(world, world.own, Role.OWNER))
        assert answer.status == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("line", CLOSED, ids=str)
def test_each_role_may_do_what_the_route_says_and_no_more(world: World, asked: Any, line: Line) -> None:
    for role in Role:
        answer = asked(line, world.own.house.tokens[role], world.own, values(world, world.own, role))
        judge(line, answer, str(role), admitted=admits(line, role))
    judge(line, asked(line, world.root, world.own, values(world, world.own, None)), "superadmin", admitted=True)


def judge(line: Line, answer: Answer, who: str, *, admitted: bool) -> None:
    if not admitted:
        assert answer.status == 403, (who, answer)
    elif str(line) in MISSING:
        assert answer.status in {204, 404}, (who, answer)
    else:
        assert answer.status not in {401, 403, 404, 500}, (who, answer)


@pytest.mark.parametrize("line", [line for line in CLOSED if line.objects], ids=str)
def test_what_is_anothers_is_not_found_and_looks_like_what_is_nobodys(world: World, asked: Any, line: Line) -> None:
    theirs = values(world, world.own, Role.OWNER)
    nobodys = dict.fromkeys(theirs, NOBODY)
    for role in Role:
        token = world.other.house.tokens[role]
        answer, nothing = (asked(line, token, world.own, numbers) for numbers in (theirs, nobodys))
        assert answer.status == 404, (role, answer)
        assert told(answer) == told(nothing)
    assert asked(line, world.root, world.own, nobodys).status == 404


def told(answer: Answer) -> tuple[Any, ...]:
    body = {name: value for name, value in answer.body.items() if name != "instance"}
    return answer.status, body, answer.headers["content-type"], answer.headers["content-length"]


@pytest.mark.parametrize("line", [line for line in CLOSED if line.needs.scope], ids=str)
def test_a_key_without_the_scope_is_refused_whosever_it_is(world: World, asked: Any, line: Line) -> None:
    assert line.needs.scope is not None
    for side in (world.own, world.other):
        answer = asked(line, world.lacking[line.needs.scope], side, values(world, side, Role.OWNER))
        kind = "not-allowed" if line.needs.who is Need.SUPERADMIN and not line.names else "out-of-scope"
        assert (answer.status, answer.body["type"].partition("#")[2]) == (403, kind)


@pytest.mark.parametrize("line", [line for line in CLOSED if not line.needs.scope], ids=str)
def test_older_paths_have_no_scope_and_are_closed_to_keys_with_limits(world: World, asked: Any, line: Line) -> None:
    for token in (world.lacking[Scope.BOTS_READ], world.of_other_bot):
        answer = asked(line, token, world.own, values(world, world.own, Role.OWNER))
        kind = "not-allowed" if line.needs.who is Need.SUPERADMIN and not line.names else "out-of-scope"
        assert (answer.status, answer.body["type"].partition("#")[2]) == (403, kind)


@pytest.mark.parametrize(
    "line", [line for line in CLOSED if line.objects & {"bot"} and line.needs.scope in OF_BOTS], ids=str
)
def test_a_key_of_another_bot_does_not_find_this_one(world: World, asked: Any, line: Line) -> None:
    answer = asked(line, world.of_other_bot, world.own, values(world, world.own, Role.OWNER))
    assert answer.status == 404


@pytest.mark.parametrize("line", [line for line in CLOSED if line.method == "GET"], ids=str)
def test_no_answer_holds_anything_of_another(world: World, asked: Any, line: Line) -> None:
    token = world.own.house.tokens[Role.OWNER]
    said = str(asked(line, token, world.own, values(world, world.own, Role.OWNER)).body)
    assert "other" not in said.replace("another", "")
    assert str(world.other.house.bot.telegram_id) not in said
    for number in (world.own.house.bot.telegram_id, world.own.house.bot.telegram_id + 1):
        assert f"public-{number}" not in said
        assert f"{number}:" not in said


@pytest.mark.parametrize("line", [line for line in CLOSED if isinstance(line.needs.who, Role)], ids=str)
def test_a_suspended_customers_people_are_told_so_and_nothing_else(world: World, asked: Any, line: Line) -> None:
    suspend_customer(world.own.house.id)
    try:
        answer = asked(line, world.own.house.tokens[Role.OWNER], world.own, values(world, world.own, Role.OWNER))
        assert (answer.status, answer.body["type"].partition("#")[2]) == (403, "suspended")
    finally:
        world.restore()


@pytest.mark.parametrize("line", [line for line in CLOSED if "customer" not in line.objects], ids=str)
def test_nobody_acts_for_another_by_naming_it(world: World, asked: Any, web: TestClient, line: Line) -> None:
    """In a body, or as a filter."""
    token = world.own.house.tokens[Role.OWNER]
    if line.method == "GET":
        mine = values(world, world.own, Role.OWNER)
        there, here = world.other.house, world.own.house
        for asks in (f"customer=cus_{there.id}", f"bot=bot_{there.bot.id}"):
            answer = Caller(web, token).get(f"{line.filled(mine)}?{asks}")
            assert answer.status in {200, 202, 404, 422}, answer
            assert answer.status != 200 or here.id != there.id
            assert "other" not in str(answer.body).replace("another", "")
    elif "cus_12" in json.dumps(BODIES.get(str(line), "")):
        assert asked(line, token, world.other, values(world, world.own, Role.OWNER)).status == 404
