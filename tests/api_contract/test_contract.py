"""The API's description: the committed one is of this code, complete, and breaks nothing of the last release."""

import json
from collections.abc import Iterator
from typing import Any, Final

import jsonschema_rs
import pytest
from fastapi.routing import iter_route_contexts
from starlette.datastructures import State

from botyard.web.api.application import build_api
from botyard.web.api.rights import Need
from botyard.web.api.routes import Route
from tests.api_contract.breaking import Json, breaks
from tests.api_contract.write import DOCS, description, rights

_HOW: Final = "run `make openapi`, and read what it changes"


@pytest.fixture(scope="module")
def described() -> Json:
    return description()


def committed(name: str) -> Json:
    found: Json = json.loads((DOCS / name).read_text(encoding="utf-8"))
    return found


def operations(described: Json) -> Iterator[tuple[str, Json]]:
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_the_committed_description_is_the_one_of_this_code(described: Json) -> None:
    assert committed("openapi.json") == described, _HOW


def test_the_page_about_rights_is_made_from_the_route_table(described: Json) -> None:
    assert (DOCS / "rights.md").read_text(encoding="utf-8") == rights(described), _HOW


def test_nothing_of_the_last_release_is_broken(described: Json) -> None:
    """`openapi-released.json` is replaced when a version is released; a break needs a new version of the API."""
    assert breaks(committed("openapi-released.json"), described) == []


def test_every_operation_says_what_it_is_and_what_it_answers(described: Json) -> None:
    names = [operation["operationId"] for _, operation in operations(described)]
    assert len(names) == len(set(names)), sorted(name for name in names if names.count(name) > 1)
    for place, operation in operations(described):
        assert operation["tags"], place
        assert operation["summary"].strip(), place
        assert any(status[0] == "2" for status in operation["responses"]), place
        for status, response in operation["responses"].items():
            for content in response.get("content", {}).values():
                assert content["schema"], f"{place} {status} says nothing of its answer"


def test_every_route_needs_a_scope_or_is_open_on_purpose() -> None:
    for context in iter_route_contexts(build_api(State()).routes):
        route = context.original_route
        assert isinstance(route, Route), context.path
        if str(context.path).startswith("/v1/") and route.needs.who is not Need.NOBODY:
            assert route.needs.scope is not None, f"{context.path} works with any API key"


def test_what_makes_something_takes_a_key(described: Json) -> None:
    for place, operation in operations(described):
        names = {one["name"] for one in operation.get("parameters", [])}
        good = {status for status in operation["responses"] if status[0] == "2"}
        # A file is kept by its content: uploaded again, it is the same one.
        if place.startswith("POST") and good <= {"201", "202"} and operation["security"] and "files" not in place:
            assert "Idempotency-Key" in names, place


def test_every_schema_is_one_and_every_example_fits_its_own(described: Json) -> None:
    wrong = []
    for name, schema in described["components"]["schemas"].items():
        jsonschema_rs.meta.validate({**schema, "$schema": "https://json-schema.org/draft/2020-12/schema"})
        for example in schema.get("examples", []):
            wrong += [(name, error.message) for error in _validator(schema, described).iter_errors(example)]
    assert wrong == []


def test_every_example_of_a_request_fits(described: Json) -> None:
    wrong = []
    for place, operation in operations(described):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            validator = _validator(content["schema"], described)
            for name, example in content.get("examples", {}).items():
                wrong += [(place, name, error.message) for error in validator.iter_errors(example["value"])]
    assert wrong == []


def _validator(schema: Any, described: Json) -> Any:
    return jsonschema_rs.validator_for({**schema, "components": described["components"]})
