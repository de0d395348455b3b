"""``/api/v1/bots/{bot}/files``: files that are uploaded to be sent. Nothing is given back from here."""

import tempfile
from typing import Annotated, Any, Final, Self

from fastapi import APIRouter, Query, Request
from pydantic import ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from botyard.accounts.access import bot_for
from botyard.accounts.roles import Role
from botyard.accounts.scopes import Scope
from botyard.media.store import store_of
from botyard.messages.uploads import LARGEST, Referred, upload
from botyard.settings import get_settings
from botyard.vault.keys import keyring
from botyard.web.api.bodies import receive_file
from botyard.web.api.ids import BotId
from botyard.web.api.rights import SignedIn, needs
from botyard.web.api.routes import Route
from botyard.web.api.shapes import Shown, Time

router = APIRouter(prefix="/bots/{bot}/files", route_class=Route, tags=["messages"])

_IN_MEMORY: Final = 1 << 20
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
_FILE: Final[dict[str, Any]] = {
    "file": "file_UlhMbQ", "name": "report.pdf", "type": "application/pdf", "size": 10240,
    "expiresAt": "2026-01-17T09:30:00.000Z",
}  # fmt: skip


class FileShown(Shown):
    """A file that a message of this bot can name."""

    model_config = ConfigDict(json_schema_extra={"examples": [_FILE]})

    file: str = Field(description='For a message: `{"document": {"file": "file_…"}}`.')
    name: str
    type: str
    size: int
    expires_at: Time = Field(description="Until then a message can name it.")

    @classmethod
    def of(cls, found: Referred) -> Self:
        """Of what is kept."""
        one = found.upload
        return cls(file=found.reference, name=one.name, type=one.type, size=one.size, expires_at=found.until)


@router.post("", status_code=201, openapi_extra=_BODY, max_body_size=LARGEST)
@needs(Role.OPERATOR, Scope.MESSAGES_SEND)
async def upload_file(
    actor: SignedIn,
    bot: BotId,
    request: Request,
    name: Annotated[str, Query(min_length=1, max_length=200, description="How the file is called.")],
) -> FileShown:
    """Upload a file of up to 50 MiB as the body of the request, with its media type in `Content-Type`.

    The same content is kept once, so this may be repeated without an `Idempotency-Key`.
    """
    found = await run_in_threadpool(bot_for, actor, bot, needs=Role.OPERATOR)
    settings = get_settings()
    kind = request.headers.get("content-type", "application/octet-stream")
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as content:
        most = min(LARGEST, settings.media_max_bytes)
        await receive_file(request, content, most, f"A file has at most {most} bytes.")
        kept = await run_in_threadpool(
            upload, store_of(settings), keyring(), settings.media_keep_hours, found.id, content, name, kind
        )
    return FileShown.of(kept)
