"""The description of ``/api/v1`` as OpenAPI 3.1: what FastAPI knows of the routes, and what all of them have in common.

docs/openapi.json holds the one of this version; `make openapi` writes it.
"""

from collections.abc import Iterator
from inspect import getdoc
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import RouteContext, iter_route_contexts
from starlette.routing import BaseRoute

from botyard.accounts.roles import Role
from botyard.web.api.rights import Need, Needs
from botyard.web.api.routes import Route

Json = dict[str, Any]

_PREFIX: Final = "/v1/"
_ABOUT: Final = """\
Every request shows an API key or an access token as `Authorization: Bearer …`. Names are in camelCase, times as in
RFC 3339 in UTC, ids opaque strings; Telegram's own numbers are strings, too. Fields that are not named are refused.
"""
_BEARER: Final = "An API key (`by_…`), or the access token of a sign-in. It is looked up at each request."
_PROBLEM: Final[Json] = {
    "title": "Problem",
    "description": "What is wrong (RFC 9457). What was sent is not repeated: it may be a secret.",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "description": "Its page.", "examples": ["/api/docs/problems#unfit"]},
        "title": {"type": "string", "examples": ["Unprocessable Content"]},
        "status": {"type": "integer", "examples": [422]},
        "detail": {"type": "string", "description": "In a sentence for people."},
        "instance": {"type": "string", "description": "The request, as in `X-Request-Id` and in the log."},
        "errors": {"type": "array", "items": {"$ref": "#/components/schemas/ProblemField"}},
    },
}  # fmt: skip
_PROBLEM_FIELD: Final[Json] = {
    "title": "ProblemField",
    "description": "What is wrong with one field.",
    "type": "object",
    "required": ["field", "pointer", "problem", "remedy"],
    "properties": {
        "field": {"type": "string", "examples": ["name"]},
        "pointer": {"type": "string", "description": "Where it stands, as RFC 6901 writes it.", "examples": ["/name"]},
        "problem": {"type": "string"},
        "remedy": {"type": "string", "description": "What to do; empty if the problem says it."},
    },
}
_HEADERS: Final[Json] = {
    "ETag": ("The version of what is shown, for `If-Match`; of what has versions only.", '"3"'),
    "RateLimit-Policy": ("How many requests (`q`) fit into how many seconds (`w`).", '"default";q=600;w=60'),
    "RateLimit": ("How many more fit (`r`), and after how many seconds it begins anew (`t`).", '"default";r=599;t=42'),
    "Retry-After": ("Ask again after so many seconds.", "5"),
    "X-Request-Id": ("The request, for whoever looks for it in the log.", "0d1bf2e57ed94ae0b53b3bd5a5cf4d73"),
}
_SAYS: Final = {
    400: "There is no `Idempotency-Key`, or what was sent cannot be read.",
    401: "No valid token was shown.",
    403: "The role or the scopes do not suffice, or the customer is suspended.",
    404: "There is no such thing, or none of yours.",
    408: "The body came too slowly.",
    409: "It is so already, or the state of things does not allow it.",
    412: "It was changed since it was read.",
    413: "The request is too large.",
    415: "The body is of another type than this takes.",
    422: "A field is wrong, missing or not one of those named here.",
    428: "There is no `If-Match`.",
    429: "These are too many requests.",
    503: "A server or Telegram cannot be reached now.",
}
_IDEMPOTENCY_KEY: Final[Json] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "Of your own making, such as a UUID. Repeated with it, a request makes nothing a second time.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]([ -~]*[!-~])?$"},
    "example": "6f1ed002-ab55-4d2d-9c4f-0c6c1f7a4b0e",
}


def describe(app: FastAPI) -> None:
    """Let an application describe its ``/v1`` by its method ``openapi``: made at the first call, then kept."""
    made: list[Json] = []

    def openapi() -> Json:
        if not made:
            made.append(description(app.routes))
        return made[0]

    app.openapi = openapi  # type: ignore[method-assign]


def description(routes: list[BaseRoute]) -> Json:
    """The description of the routes under ``/v1``."""
    contexts = [one for one in iter_route_contexts(routes) if str(one.path).startswith(_PREFIX)]
    found: Json = get_openapi(
        title="Botyard", version="1", description=_ABOUT, routes=contexts, servers=[{"url": "/api"}]
    )  # fmt: skip
    for path, method, route in _operations(contexts):
        operation = found["paths"][path][method]
        _name(operation, route)
        _say_needs(operation, route.needs)
        _take(operation, route)
        _answer(operation, method, route)
    components = found.setdefault("components", {})
    for name in ("HTTPValidationError", "ValidationError"):
        components.get("schemas", {}).pop(name, None)
    for schema in components.get("schemas", {}).values():
        _complete(schema)
    components.setdefault("schemas", {}).update(Problem=_PROBLEM, ProblemField=_PROBLEM_FIELD)
    components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer", "description": _BEARER}}
    components["headers"] = {
        name: {"description": says, "schema": {"type": "string"}, "example": example}
        for name, (says, example) in _HEADERS.items()
    }
    components["responses"] = {_name_of(status): _problem(status, says) for status, says in _SAYS.items()}
    return found


def _complete(schema: Json) -> None:
    """FastAPI leaves out of examples what is null."""
    fields = schema.get("properties", {})
    for example in schema.get("examples", []):
        for name in schema.get("required", []):
            if {"type": "null"} in fields[name].get("anyOf", []):
                example.setdefault(name, None)


def _operations(contexts: list[RouteContext]) -> Iterator[tuple[str, str, Route]]:
    for context in contexts:
        route = context.original_route
        if isinstance(route, Route) and route.include_in_schema:
            for method in sorted(context.methods or ()):
                yield str(context.path_format), method.lower(), route


def _name(operation: Json, route: Route) -> None:
    first, _, rest = (getdoc(route.endpoint) or "").partition("\n")
    operation["summary"] = first.rstrip(".")
    operation["description"] = rest.strip()
    operation["operationId"] = route.name


def _say_needs(operation: Json, needed: Needs) -> None:
    """Who may use it, for people and for programs."""
    if needed.who is Need.NOBODY:
        said, operation["security"] = "Open to strangers.", []
    else:
        who = f"the role **{needed.who}**" if isinstance(needed.who, Role) else f"somebody who is **{needed.who}**"
        if needed.who is Need.SUPERADMIN:
            who = "a **superadmin**"
        said = f"Needs {who}" + (f", and of an API key the scope `{needed.scope}`." if needed.scope else ".")
        operation["security"] = [{"bearer": []}]
    operation["x-needs"] = {"who": str(needed.who), "scope": needed.scope and str(needed.scope)}
    operation["description"] = f"{operation['description']}\n\n{said}".strip()


def _take(operation: Json, route: Route) -> None:
    """The headers that are needed."""
    parameters: list[Json] = operation.get("parameters", [])
    for one in parameters:
        if one["in"] == "header" and one["name"].lower() == "if-match":
            one["name"], one["required"] = "If-Match", True
            one["description"] = 'The ETag of the version that was seen, as `"3"`; `*` for any.'
            one["schema"] = {"type": "string", "pattern": '^("[0-9]{1,18}"|\\*)$'}
            one["example"] = "*"
    named = [one for one in parameters if one["name"].lower() != "idempotency-key"]
    if route.creates is not None or len(named) < len(parameters):
        parameters = [*named, _IDEMPOTENCY_KEY]
    if parameters:
        operation["parameters"] = parameters


def _answer(operation: Json, method: str, route: Route) -> None:
    """The headers of what goes well, and what may go wrong."""
    responses: Json = operation["responses"]
    responses.pop("422", None)
    names = ["RateLimit-Policy", "RateLimit", "X-Request-Id"] + ["ETag"] * (not _is_list(responses))
    for status, response in responses.items():
        if status.startswith("2"):
            headers = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
            response["headers"] = {**headers, **response.get("headers", {})}
    if method == "get" and "ETag" in names:
        responses["304"] = {"description": "It is still the version of `If-None-Match`."}
    for wrong in sorted(_may_go_wrong(operation, method, route)):
        responses.setdefault(str(wrong), {"$ref": f"#/components/responses/{_name_of(wrong)}"})


def _may_go_wrong(operation: Json, method: str, route: Route) -> set[int]:
    found = {404, 422, 429, 503}
    if route.needs.who is not Need.NOBODY:
        found |= {401, 403}
    elif method == "post":
        # A password, a code, or a refresh token is shown in the body.
        found |= {401}
    if method != "get":
        found |= {400, 409}
    if "requestBody" in operation:
        found |= {400, 408, 413, 415}
    if any(one["name"] == "If-Match" for one in operation.get("parameters", [])):
        found |= {412, 428}
    return found


def _is_list(responses: Json) -> bool:
    shown = responses.get("200", {}).get("content", {}).get("application/json", {}).get("schema", {})
    return "Page_" in shown.get("$ref", "") or shown.get("type") == "array"


def _problem(status: int, says: str) -> Json:
    headers = ["X-Request-Id"] + (["Retry-After"] if status in {429, 503} else [])
    return {
        "description": says,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in headers},
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


def _name_of(status: int) -> str:
    return f"Problem{status}"
