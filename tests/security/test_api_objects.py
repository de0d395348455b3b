"""Other customers' objects by their ids, fields that nobody may set, filters that cost too much."""

import json
import time
from collections.abc import Iterator
from typing import Any, Final

import pytest
from starlette.testclient import TestClient

from botyard.accounts.roles import Role
from botyard.web.api.v1 import asking
from botyard.web.front import build_app
from tests.api_contract.write import description
from tests.integration.api.callers import Caller
from tests.security.planted_world import PREFIXES, World, plant, values
from tests.security.test_route_rights import MISSING, TABLE, body_of
from tests.services import Services, environment

DESCRIBED: Final = description()
PATCHED: Final = [line for line in TABLE if line.method == "PATCH"]
LISTS: Final = [line for line in TABLE if line.method == "GET" and line.path.startswith("/v1/")]
HOSTILE: Final = (
    "(a+)+$", "%" * 9, "\\", "' OR 1=1 --", "\u202e\U0001f4a9", " ".join(["a"] * 10_000), "-1", "9" * 30
)  # fmt: skip


@pytest.fixture(scope="module")
def world(services: Services) -> World:
    return plant(services)


@pytest.fixture(scope="module")
def web(world: World) -> Iterator[TestClient]:  # noqa: ARG001 - the process finds it in the database
    limits = {"API_RATE": "0", "API_RATE_CUSTOMER": "0"}
    with environment(limits), pytest.MonkeyPatch.context() as patch:
        # There are no workers who would answer.
        patch.setattr(asking, "_WAITS_SECONDS", 0.05)
        with TestClient(build_app(), raise_server_exceptions=False) as client:
            yield client


def ids_in(shown: Any) -> Iterator[str]:
    """Every id of ours in an answer."""
    if isinstance(shown, dict):
        for value in shown.values():
            yield from ids_in(value)
    elif isinstance(shown, list):
        for value in shown:
            yield from ids_in(value)
    elif isinstance(shown, str) and shown.rpartition("_")[0] in PREFIXES.values():
        yield shown


def test_every_id_that_one_customer_was_shown_is_nothing_for_another(world: World, web: TestClient) -> None:
    """What the owner of one customer can read, replayed by the owner of the other."""
    anna, bert = (Caller(web, side.house.tokens[Role.OWNER]) for side in (world.own, world.other))
    mine = values(world, world.own, Role.OWNER)
    shown: set[str] = set()
    for line in LISTS:
        answer = anna.get(line.filled(mine))
        if answer.status == 200:
            shown.update(ids_in(answer.body))
        if line.objects:
            assert bert.get(line.filled(mine)).status == 404, line
    assert len({one.rpartition("_")[0] for one in shown}) >= 6, shown
    for line in [line for line in LISTS if len(line.names) == 1]:
        (name,) = line.names
        for one in sorted(id_ for id_ in shown if id_.startswith(f"{PREFIXES.get(name)}_")):
            path = line.path.replace(f"{{{name}}}", one)
            answer = bert.get(path)
            assert answer.status == 404, (path, answer)


@pytest.mark.parametrize("line", PATCHED, ids=str)
def test_fields_of_an_answer_that_may_not_be_set_are_refused(world: World, web: TestClient, line: Any) -> None:
    owner = Caller(web, world.own.house.tokens[Role.OWNER])
    path = line.filled(values(world, world.own, Role.OWNER))
    shown = owner.get(path).body
    operation = DESCRIBED["paths"][line.path]["patch"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    allowed = DESCRIBED["components"]["schemas"][schema]["properties"]
    before = world.services.superuser(_EVERYTHING)
    for name in [*shown, "customerId", "customer_id", "role", "superadmin", "version", "__proto__"]:
        if name in allowed:
            continue
        answer = owner.patch(path, {name: shown.get(name, 1)})
        assert answer.status == 422, (name, answer)
        fitting = body_of(line, world.own)
        assert owner.patch(path, {**fitting, name: shown.get(name, 1)}).status == 422, name
    assert world.services.superuser(_EVERYTHING) == before


_EVERYTHING: Final = (
    "SELECT (SELECT jsonb_agg(b ORDER BY id) FROM bots b), (SELECT jsonb_agg(c ORDER BY id) FROM customers c),"
    " (SELECT jsonb_agg(p ORDER BY id) FROM people p), (SELECT jsonb_agg(u ORDER BY bot_id) FROM bot_users u),"
    " (SELECT jsonb_agg(m ORDER BY person_id) FROM memberships m), (SELECT jsonb_agg(e ORDER BY id) FROM endpoints e)"
)


@pytest.mark.parametrize("line", [line for line in LISTS if str(line) not in MISSING], ids=str)
def test_no_filter_is_a_program(world: World, web: TestClient, line: Any) -> None:
    """Whatever stands in a filter: an answer or a refusal, soon, and never an error of ours."""
    owner = Caller(web, world.own.house.tokens[Role.OWNER])
    path = line.filled(values(world, world.own, Role.OWNER))
    parameters = DESCRIBED["paths"][line.path]["get"].get("parameters", [])
    for name in [one["name"] for one in parameters if one["in"] == "query"]:
        for value in HOSTILE:
            began = time.monotonic()
            answer = owner.web.get(
                f"/api{path}", params={name: value}, headers={"Authorization": f"Bearer {owner.token}"}
            )
            assert answer.status_code in {200, 202, 404, 422}, (name, value, answer.text)
            assert time.monotonic() - began < 5
            assert value not in json.dumps(answer.json().get("detail", "")) or len(value) < 5
