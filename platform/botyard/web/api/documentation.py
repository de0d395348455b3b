"""The documentation of the REST API in a browser: ``/api/docs``, and ``/api/v1/openapi.json`` beside it.

Everything comes from this package, and the pages may load nothing else. Swagger UI lies packed beside the pages.
"""

from html import escape
from importlib.resources import files
from typing import Any, Final

import orjson
from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from botyard.web.api.rights import Need, needs
from botyard.web.api.routes import Route

router = APIRouter(route_class=Route, include_in_schema=False)

_FOLDER: Final = files("botyard.web.api") / "static"
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_SAFE: Final = {
    "Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}  # fmt: skip
_PACKED: Final = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}
_PLAIN: Final = {"docs.js": "text/javascript", "docs.css": "text/css"}
PROBLEMS: Final[dict[str, tuple[int, str, str]]] = {
    "not-signed-in": (401, "No valid token was shown.", "Show an API key, or the access token of a sign-in."),
    "not-allowed": (403, "It is yours, but your role does not suffice.", "Ask an owner of the customer."),
    "out-of-scope": (403, "Your API key lacks the scope for this.", "Make a key with that scope."),
    "suspended": (403, "The customer for whom you act is suspended.", "The operator can resume it."),
    "not-found": (404, "There is no such thing, or none of yours.", "Look at the id, and at whose token it is."),
    "wrong-method": (405, "This path knows other methods.", "`Allow` names them."),
    "taken": (409, "It is here already.", "Choose another name, or change what is there."),
    "bot-off": (409, "The bot is switched off and sends nothing.", "Let it go on first."),
    "too-late": (409, "It is being sent, or was sent.", "Look at it: it cannot be taken back any more."),
    "still-running": (409, "The first request with this Idempotency-Key has no answer yet.", "Ask again soon."),
    "stale": (412, "It was changed since you read it.", "Read it again, and change what is there now."),
    "too-large": (413, "The request is larger than this path takes.", "Send less at once."),
    "wrong-type": (415, "The body is of another type.", "Send JSON, as Content-Type: application/json."),
    "unfit": (422, "A field is wrong, missing or unknown.", "`errors` names it, and what to do."),
    "key-needed": (400, "What makes something needs an Idempotency-Key.", "Send one of your own making, as a UUID."),
    "key-reused": (422, "The Idempotency-Key belongs to another request.", "Take a new key for what is new."),
    "version-needed": (428, "It was not said which version you have seen.", "Send its ETag as If-Match."),
    "too-many": (429, "These are too many requests.", "Wait as long as Retry-After says."),
    "away": (503, "A server or Telegram cannot be reached now.", "Ask again after Retry-After, with the same key."),
}
"""By the last part of a problem's `type`: the status, what it means, and what to do."""


@router.get("/v1/openapi.json")
@needs(Need.NOBODY)
def show_openapi(request: Request) -> Response:
    """The description of the API as OpenAPI 3.1."""
    described: dict[str, Any] = request.app.openapi()
    return Response(orjson.dumps(described), media_type="application/json", headers=_SAFE)


@router.get("/docs")
@needs(Need.NOBODY)
def show_documentation() -> Response:
    """The page that shows it."""
    return Response((_FOLDER / "docs.html").read_bytes(), media_type="text/html", headers=_SAFE)


@router.get("/docs/problems")
@needs(Need.NOBODY)
def show_problems() -> Response:
    """What the types of problems mean."""
    rows = "".join(
        f'<tr id="{kind}"><th>{kind}</th><td>{status}</td><td>{escape(means)}</td><td>{escape(remedy)}</td></tr>\n'
        for kind, (status, means, remedy) in sorted(PROBLEMS.items())
    )
    page = (_FOLDER / "problems.html").read_text(encoding="utf-8").replace("<!-- rows -->", rows)
    return Response(page, media_type="text/html", headers=_SAFE)


@router.get("/docs/static/{name}")
@needs(Need.NOBODY)
def show_file(name: str) -> Response:
    """A file of the pages."""
    if name in _PACKED:
        headers = {**_SAFE, "Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        return Response((_FOLDER / f"{name}.gz").read_bytes(), media_type=_PACKED[name], headers=headers)
    if name in _PLAIN:
        return Response((_FOLDER / name).read_bytes(), media_type=_PLAIN[name], headers=_SAFE)
    raise HTTPException(404, "There is no such object.")
