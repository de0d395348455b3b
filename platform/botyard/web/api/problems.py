"""Errors as ``application/problem+json`` (RFC 9457): what is wrong, in which field, and what to do about it.

What somebody sent is not repeated: it may be a secret.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from http import HTTPStatus
from typing import Any, Final

import orjson
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from kombu.exceptions import OperationalError as BrokerAway
from pydantic.alias_generators import to_camel
from redis.exceptions import RedisError
from sqlalchemy.exc import OperationalError as DatabaseAway
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from starlette.exceptions import HTTPException

from botyard.accounts.access import AccessError, NotAllowed, NotFound, NotSignedIn, OutOfScope, Suspended
from botyard.accounts.customers import Taken
from botyard.accounts.idempotency import KeyNeeded, KeyReused, StillRunning
from botyard.accounts.tries import TooManyTries
from botyard.bots.configuration.configuring import ConfigurationConflict
from botyard.bots.connection.adding import AlreadyHere
from botyard.errors import BotyardError, InputError, Stale, TransientError
from botyard.messages.sending import BotOff, TooLate
from botyard.telemetry.redaction import redact
from botyard.web.api.versions import VersionNeeded

log = structlog.get_logger(__name__)

_RETRY_SECONDS: Final = 5
_DOCS: Final = "/api/docs/problems#"
_KINDS: Final[dict[type[BotyardError], tuple[int, str]]] = {
    NotSignedIn: (401, "not-signed-in"),
    NotAllowed: (403, "not-allowed"),
    OutOfScope: (403, "out-of-scope"),
    Suspended: (403, "suspended"),
    NotFound: (404, "not-found"),
    Taken: (409, "taken"),
    AlreadyHere: (409, "taken"),
    ConfigurationConflict: (409, "taken"),
    BotOff: (409, "bot-off"),
    TooLate: (409, "too-late"),
    StillRunning: (409, "still-running"),
    Stale: (412, "stale"),
    InputError: (422, "unfit"),
    KeyReused: (422, "key-reused"),
    VersionNeeded: (428, "version-needed"),
    KeyNeeded: (400, "key-needed"),
    TooManyTries: (429, "too-many"),
    TransientError: (503, "away"),
}
"""Which status and which page of the documentation; what is not named here is as what it is derived from."""
_BY_STATUS: Final = {404: "not-found", 405: "wrong-method", 413: "too-large", 415: "wrong-type", 429: "too-many"}
_FIELDS: Final = {"token": "botToken"}
"""Fields of services that are called otherwise by the source's own paths."""

request_id: Final = ContextVar[str | None]("request_id", default=None)
"""Of the request that is being served: the same in the answer, in our logs and in reports."""


def problem(
    status: int,
    detail: str,
    errors: list[dict[str, str]] | None = None,
    headers: Mapping[str, str] | None = None,
    kind: str | None = None,
) -> Response:
    """An answer that says what is wrong.

    Args:
        status: the HTTP status.
        detail: what is wrong, for people.
        errors: what is wrong with which field.
        headers: of the answer.
        kind: which page of the documentation explains it.
    """
    kind = kind or _BY_STATUS.get(status)
    content: dict[str, Any] = {
        "type": "about:blank" if kind is None else f"{_DOCS}{kind}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": redact(detail),
    }
    if (named := request_id.get()) is not None:
        content["instance"] = f"urn:uuid:{named}"
    if errors is not None:
        content["errors"] = [{key: redact(value) for key, value in error.items()} for error in errors]
    return Response(orjson.dumps(content), status, headers, media_type="application/problem+json")


def kind_of(error: BotyardError) -> tuple[int, str | None]:
    """The status that an error is answered with, and the page that explains it."""
    for base in type(error).__mro__:
        if base in _KINDS:
            return _KINDS[base]
    return (403, None) if isinstance(error, AccessError) else (400, None)


def _ours(request: Request, error: Exception) -> Response:
    if not isinstance(error, BotyardError):
        raise error
    status, kind = kind_of(error)
    headers = {"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else {}
    if isinstance(error, TransientError):
        headers["Retry-After"] = str(max(1, round(error.retry_after or _RETRY_SECONDS)))
    if not isinstance(error, InputError):
        return problem(status, str(error), headers=headers, kind=kind)
    field = to_camel(error.field) if error.field.islower() and "." not in error.field else error.field
    if not request.url.path.startswith("/api/v1/"):
        field = _FIELDS.get(error.field, field)
    named = {"field": field, "pointer": f"/{field.replace('.', '/')}", "problem": error.problem, "remedy": error.remedy}
    said = f"{field}: {error.problem}" + (f" {error.remedy}" if error.remedy else "")
    return problem(status, said, [named], headers, kind)


def _unfit(_: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    found = error.errors()
    if found and all(one["loc"][0] == "path" for one in found):
        # What cannot be the id of anything is the id of nothing.
        return problem(404, str(NotFound()))
    errors = []
    for one in found:
        place = [str(part) for part in one["loc"][1:]]
        said = str(one["msg"]).removeprefix("Value error, ")
        errors.append({
            "field": ".".join(place) or str(one["loc"][0]), "pointer": "".join(f"/{part}" for part in place),
            "problem": said, "remedy": "",
        })  # fmt: skip
    return problem(422, "The request does not fit.", errors, kind="unfit")


def _http(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return problem(error.status_code, str(error.detail), headers=error.headers)


def _away(_: Request, error: Exception) -> Response:
    log.warning("api_not_served", error=type(error).__name__)
    said = "A server that this needs cannot be reached now. What was asked for may have been done in part."
    return problem(503, said, headers={"Retry-After": str(_RETRY_SECONDS)}, kind="away")


def _bug(_: Request, error: Exception) -> Response:
    # Its traceback is logged by the server, to which it goes on.
    log.error("api_failed", error=type(error).__name__)
    return problem(500, "That is a bug of ours; it was noted.")


def explain_errors(app: FastAPI) -> None:
    """Let every error of an application be answered so."""
    app.add_exception_handler(BotyardError, _ours)
    app.add_exception_handler(RequestValidationError, _unfit)
    app.add_exception_handler(HTTPException, _http)
    for kind in (RedisError, BrokerAway, DatabaseAway, NoConnectionFree):
        app.add_exception_handler(kind, _away)
    app.add_exception_handler(Exception, _bug)
