"""``/api/v1/bots/{bot}/imports``: what a bot knew elsewhere, from a file. See docs/import.md."""

import tempfile
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from botyard.accounts import idempotency
from botyard.accounts.access import Actor, bot_for
from botyard.accounts.idempotency import Answer, Made
from botyard.accounts.roles import Role
from botyard.accounts.scopes import Scope
from botyard.importing.operation import LARGEST, begin_import, keep_file
from botyard.web.api.bodies import is_json, receive_file
from botyard.web.api.ids import BotId
from botyard.web.api.rights import SignedIn, needs
from botyard.web.api.routes import Route, route_of
from botyard.web.api.v1.operations import OperationShown, begun
from db.claims import Claim, serving

router = APIRouter(prefix="/bots/{bot}/imports", route_class=Route, tags=["users"])

_IN_MEMORY: Final = 1 << 20
_TYPES: Final = ("application/octet-stream", "application/zip", "application/x-ndjson", "text/csv")
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True, "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in _TYPES},
    },
    "parameters": [
        {"name": "Idempotency-Key", "in": "header", "required": True, "schema": {"type": "string", "maxLength": 255}}
    ],
}  # fmt: skip


@router.post("", status_code=202, openapi_extra=_BODY, max_body_size=LARGEST, response_model=OperationShown)
@needs(Role.MANAGER, Scope.USERS_WRITE)
async def import_people(
    actor: SignedIn,
    bot: BotId,
    request: Request,
    *,
    dry_run: Annotated[bool, Query(alias="dryRun", description="Only say what would be done.")] = False,
    overwrite: Annotated[bool, Query(description="What is here already and differs is replaced.")] = False,
) -> Response:
    """Bring people, chats and memory into a bot, from a file of up to 100 MiB as the body of the request.

    JSON, JSON lines, CSV, or a zip of these, such as an export of a bot; send JSON as `application/octet-stream`. The
    result of the operation is a report. Doing it twice does no harm.
    """
    found = await run_in_threadpool(bot_for, actor, bot, needs=Role.MANAGER)
    if is_json(request.headers.get("content-type", "")):
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Send it as one of: {', '.join(_TYPES)}.")
    key = idempotency.fit_key(request.headers.get("idempotency-key"))
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as content:
        await receive_file(request, content, LARGEST, f"A file has at most {LARGEST >> 20} MiB.")
        file = await run_in_threadpool(keep_file, content)
    # The content has a name of its own: whether it is the same as before is told by that.
    claim = await run_in_threadpool(idempotency.begin, actor.person_id, route_of(request), key, file.encode())
    return await run_in_threadpool(
        _once, claim, actor, (found.customer_id, found.id, file), dry=dry_run, overwrite=overwrite
    )


def _once(
    claim: Claim | Answer | Made, actor: Actor, wanted: tuple[int, int, str], *, dry: bool, overwrite: bool
) -> Response:
    """Begin it, or answer as before."""
    if isinstance(claim, Answer):
        return JSONResponse(claim.body, claim.status, {"Idempotency-Replayed": "true"})
    if isinstance(claim, Made):
        made = begun(actor, int(claim.what["operation"]))
        return JSONResponse(jsonable_encoder(made), HTTPStatus.ACCEPTED, {"Idempotency-Replayed": "true"})
    try:
        with serving(claim):
            number = begin_import(*wanted, dry=dry, overwrite=overwrite)
        body = jsonable_encoder(begun(actor, number))
    except BaseException:
        idempotency.give_back(claim)
        raise
    idempotency.keep(claim, Answer(HTTPStatus.ACCEPTED, {}, body))
    return JSONResponse(body, HTTPStatus.ACCEPTED)
