"""Errors as ``application/problem+json`` (RFC 9457): what is wrong, in which field, and what to do about it.

What somebody sent is not repeated: it may be a secret.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import orjson
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from kombu.exceptions import OperationalError as BrokerAway
from redis.exceptions import RedisError
from sqlalchemy.exc import OperationalError as DatabaseAway
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from starlette.exceptions import HTTPException

from botyard.accounts.access import AccessError, NotAllowed, NotFound, NotSignedIn, Suspended
from botyard.accounts.customers import Taken
from botyard.bots.connection.adding import AlreadyHere
from botyard.errors import InputError, TransientError
from botyard.telemetry.redaction import redact

log = structlog.get_logger(__name__)

_RETRY_SECONDS: Final = 5
_STATUS: Final[dict[type[AccessError], int]] = {NotSignedIn: 401, NotAllowed: 403, Suspended: 403, NotFound: 404}
_FIELDS: Final = {"token": "botToken"}
"""Fields of services that are called otherwise here."""


def problem(
    status: int, detail: str, errors: list[dict[str, str]] | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """An answer that says what is wrong."""
    content: dict[str, Any] = {"title": HTTPStatus(status).phrase, "status": status, "detail": redact(detail)}
    if errors is not None:
        content["errors"] = [{key: redact(value) for key, value in error.items()} for error in errors]
    return Response(orjson.dumps(content), status, headers, media_type="application/problem+json")


def _access(_: Request, error: Exception) -> Response:
    status = _STATUS.get(type(error), 403) if isinstance(error, AccessError) else 403
    return problem(
        status, str(error), headers={"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else None
    )


def _input(_: Request, error: Exception) -> Response:
    if not isinstance(error, InputError):
        raise error
    field = _FIELDS.get(error.field, error.field)
    named = {"field": field, "problem": error.problem, "remedy": error.remedy}
    said = f"{field}: {error.problem}" + (f" {error.remedy}" if error.remedy else "")
    return problem(409 if isinstance(error, Taken | AlreadyHere) else 422, said, [named])


def _unfit(_: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    errors = [
        {"field": ".".join(map(str, one["loc"][1:])) or str(one["loc"][0]), "problem": str(one["msg"]), "remedy": ""}
        for one in error.errors()
    ]
    return problem(422, "The request does not fit.", errors)


def _http(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return problem(error.status_code, str(error.detail), headers=error.headers)


def _later(_: Request, error: Exception) -> Response:
    if isinstance(error, TransientError):
        seconds = max(1, round(error.retry_after or _RETRY_SECONDS))
        return problem(503, str(error), headers={"Retry-After": str(seconds)})
    log.warning("api_not_served", error=type(error).__name__)
    said = "A server that this needs cannot be reached now. What was asked for may have been done in part."
    return problem(503, said, headers={"Retry-After": str(_RETRY_SECONDS)})


def _bug(_: Request, error: Exception) -> Response:
    # Its traceback is logged by the server, to which it goes on.
    log.error("api_failed", error=type(error).__name__)
    return problem(500, "That is a bug of ours; it was noted.")


def explain_errors(app: FastAPI) -> None:
    """Let every error of an application be answered so."""
    app.add_exception_handler(AccessError, _access)
    app.add_exception_handler(InputError, _input)
    app.add_exception_handler(RequestValidationError, _unfit)
    app.add_exception_handler(HTTPException, _http)
    for kind in (TransientError, RedisError, BrokerAway, DatabaseAway, NoConnectionFree):
        app.add_exception_handler(kind, _later)
    app.add_exception_handler(Exception, _bug)
