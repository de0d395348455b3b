"""Exports of a bot: begun here, made by a worker, and taken away as a file."""

from collections.abc import Iterator
from typing import IO, Final

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from botyard.accounts.access import Actor, NotFound, bot_for, in_scope
from botyard.accounts.operations import operation_for
from botyard.accounts.roles import Role
from botyard.accounts.scopes import Scope
from botyard.exporting.operation import EXPORT_BOT, exported
from botyard.media.store import MediaGone
from botyard.operations import Wanted, begin
from botyard.web.api.ids import BotId, OperationId
from botyard.web.api.rights import SignedIn, creates, needs
from botyard.web.api.routes import Route
from botyard.web.api.v1.operations import OperationShown, begun

router = APIRouter(route_class=Route, tags=["exports"])

_CHUNK: Final = 1 << 18


@router.post("/bots/{bot}/exports", status_code=202)
@needs(Role.MANAGER, Scope.BOTS_READ)
@creates(begun, status=202)
def export_bot(actor: SignedIn, bot: BotId) -> OperationShown:
    """Begin to write down everything that is kept of a bot, but its secrets.

    The operation says when it is done; then `GET /exports/{operation}/file` gives the zip, for seven days. An API key
    needs the scopes `bots:read`, `users:read` and `messages:read`.
    """
    found = bot_for(actor, bot, needs=Role.MANAGER)
    _may_read_people(actor)
    return begun(actor, begin(Wanted(EXPORT_BOT, found.customer_id, found.id)))


@router.get("/exports/{operation}/file", response_class=StreamingResponse)
@needs(Role.MANAGER, Scope.BOTS_READ)
def take_export(actor: SignedIn, operation: OperationId) -> StreamingResponse:
    """The zip that an export has made; 404 before it is done, and when its seven days are over."""
    found = operation_for(actor, operation, needs=Role.MANAGER)
    _may_read_people(actor)
    try:
        file = exported(found)
    except MediaGone:
        raise NotFound from None
    headers = {
        "Content-Disposition": f'attachment; filename="bot-{found.bot_id}.zip"', "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store", "Content-Length": str((found.result or {})["bytes"]),
    }  # fmt: skip
    return StreamingResponse(pieces(file), media_type="application/zip", headers=headers)


def _may_read_people(actor: Actor) -> None:
    for scope in (Scope.USERS_READ, Scope.MESSAGES_READ):
        in_scope(actor, scope)


def pieces(file: IO[bytes]) -> Iterator[bytes]:
    """A file piece by piece; closed at its end."""
    with file:
        while piece := file.read(_CHUNK):
            yield piece
