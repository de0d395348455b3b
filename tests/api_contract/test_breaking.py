"""Each kind of break between two descriptions is found, and what breaks nothing is let be."""

from copy import deepcopy
from typing import Any

import pytest

from tests.api_contract.breaking import Json, breaks

THING: Json = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "string"},
        "state": {"type": "string", "enum": ["on", "off"]},
        "count": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}},
    },
}
WANTED: Json = {
    "type": "object",
    "required": ["name"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "maxLength": 10},
        "state": {"type": "string", "enum": ["on", "off"]},
        "count": {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]},
    },
}
OLD: Json = {
    "paths": {
        "/things": {
            "post": {
                "security": [{"bearer": []}],
                "x-needs": {"who": "operator", "scope": "bots:write"},
                "parameters": [{"name": "limit", "in": "query", "schema": {"type": "integer", "maximum": 100}}],
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Wanted"}}},
                },
                "responses": {
                    "201": {
                        "headers": {"ETag": {}},
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}},
                    },
                    "422": {},
                },
            },
            "get": {"x-needs": {"who": "nobody", "scope": None}, "responses": {"200": {}}},
        }
    },
    "components": {"schemas": {"Thing": THING, "Wanted": WANTED}},
}
POST = ("paths", "/things", "post")
GIVEN = ("components", "schemas", "Wanted", "properties")
SHOWN = ("components", "schemas", "Thing", "properties")
GONE = object()


def changed(*place: str, to: Any) -> Json:
    new = deepcopy(OLD)
    inner: Any = new
    for part in place[:-1]:
        inner = inner[int(part) if isinstance(inner, list) else part]
    if to is GONE:
        del inner[int(place[-1]) if isinstance(inner, list) else place[-1]]
    else:
        inner[place[-1]] = to
    return new


@pytest.mark.parametrize(
    ("new", "said"),
    [
        (changed("paths", "/things", to=GONE), "POST /things is gone"),
        (changed(*POST, to=GONE), "POST /things is gone"),
        (changed("paths", "/things", "get", "security", to=[{"bearer": []}]), "needs a token"),
        (changed(*POST, "x-needs", to={"who": "owner", "scope": "bots:write"}), "needs owner now"),
        (changed(*POST, "x-needs", to={"who": "operator", "scope": "account:write"}), "scope account:write"),
        (changed(*POST, "parameters", "0", to=GONE), "limit (query) is gone"),
        (changed(*POST, "parameters", "0", "required", to=True), "limit (query) is needed"),
        (changed(*POST, "parameters", "0", "schema", "maximum", to=50), "maximum is 50"),
        (changed(*POST, "requestBody", to=GONE), "takes no body"),
        (changed(*POST, "responses", "201", to=GONE), "never answers 201"),
        (changed(*POST, "responses", "201", "headers", to={}), "header ETag"),
        (changed(*POST, "responses", "201", "content", to={}), "application/json is gone"),
        (changed(*GIVEN, "name", to=GONE), "body.name is gone"),
        (changed(*GIVEN, "name", "maxLength", to=9), "maxLength is 9 now, and was 10"),
        (changed(*GIVEN, "name", "minLength", to=1), "minLength is 1"),
        (changed(*GIVEN, "name", "pattern", to="^a"), "pattern"),
        (changed(*GIVEN, "name", "type", to="integer"), "takes no string"),
        (changed(*GIVEN, "state", "enum", to=["on"]), "has no off"),
        (changed(*GIVEN, "name", "enum", to=["a"]), "takes only a"),
        (changed(*GIVEN, "count", to={"type": "integer"}), "takes no null"),
        (changed("components", "schemas", "Wanted", "required", to=["name", "state"]), "body.state is needed now"),
        (changed(*SHOWN, "id", to=GONE), "201.id is gone"),
        (changed(*SHOWN, "id", "type", to="integer"), "may be integer now"),
        (changed(*SHOWN, "state", "enum", to=["on"]), "201.state has no off"),
        (changed(*SHOWN, "count", to={"type": "string"}), "may be string"),
        (changed(*SHOWN, "parts", "items", to={"type": "string"}), "201.parts[]"),
        (changed("components", "schemas", "Thing", "required", to=[]), "201.id may be missing now"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_break_is_found_and_named(new: Json, said: str) -> None:
    found = breaks(OLD, new)
    assert any(said in one for one in found), found


def test_a_body_that_is_needed_now_is_a_break() -> None:
    wanted = {"required": True, "content": {}}
    new = changed("paths", "/things", "get", "requestBody", to=wanted)
    assert breaks(OLD, new) == ["GET /things: a body is needed now"]


@pytest.mark.parametrize(
    "new",
    [
        OLD,
        changed("paths", "/others", to={"get": {"responses": {}}}),
        changed(*POST, "responses", "409", to={}),
        changed(*POST, "x-needs", to={"who": "viewer", "scope": "bots:write"}),
        changed(*GIVEN, "more", to={"type": "string"}),
        changed(*GIVEN, "name", "maxLength", to=11),
        changed(*GIVEN, "state", "enum", to=["on", "off", "paused"]),
        changed("components", "schemas", "Wanted", "required", to=[]),
        changed(*SHOWN, "more", to={"type": "string"}),
        changed(*SHOWN, "count", to={"type": "integer"}),
        changed("components", "schemas", "Thing", "required", to=["id", "state"]),
        changed(*SHOWN, "state", "description", to="Whether it is on."),
    ],
)
def test_what_is_added_or_allowed_besides_breaks_nothing(new: Json) -> None:
    assert breaks(OLD, new) == []
