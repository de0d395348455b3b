"""Calls that carry files: by the ids that Telegram has already, else their content as a form. See docs/delivery.md."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Self, TypeVar

import structlog

from botyard.delivery.calls import ApiClient
from botyard.delivery.outbox import Result, Row
from botyard.errors import TransientError
from botyard.media.attached import Attached, attached, file_id_of, with_ids
from botyard.media.known import KnownFiles
from botyard.media.store import MediaGone, MediaStore
from botyard.telegram.request import Part, UploadBody
from botyard.telemetry.fingerprints import of_words
from db.engine import DATABASE_TROUBLE

log = structlog.get_logger(__name__)

_LATER_SECONDS: Final = 2.0
# How the Bot API says that it does not know a file, or not as what it is to be sent.
_REFUSED_ID: Final = ("file identifier", "file_id", "file_reference", "file reference", "file of type")
_T = TypeVar("_T")


@dataclass(slots=True)
class Upload:
    """A row's files, ready to go; close it.

    Args:
        row: whose files.
        params: for the Bot API; ids stand in them where Telegram has the file.
        files: all of the row.
        ids: those ids, by field.
        parts: what is uploaded.
        opened: closes the parts.
    """

    row: Row
    params: dict[str, Any]
    files: Sequence[Attached]
    ids: dict[str, str]
    parts: Sequence[Part]
    opened: ExitStack

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.opened.close()


class Uploader:
    """Sends rows with files.

    Args:
        api: calls of the Bot API.
        media: where their content is.
        known: the ids of the bot's files.
        database: threads in which the database is asked.
    """

    def __init__(self, api: ApiClient, media: MediaStore, known: KnownFiles, database: Executor) -> None:
        self._api = api
        self._media = media
        self._known = known
        self._database = database

    async def prepare(self, row: Row, params: dict[str, Any]) -> Upload | Result:
        """Look for ids, and open what must be uploaded; or what became of a row of which that cannot be done."""
        files = attached(params)
        ids: dict[str, str] = await self._asked(partial(self._known.find, files), {})
        made, left = with_ids(params, ids)
        with ExitStack() as opened:
            parts = []
            try:
                for one in files:
                    if one.field in left:
                        content = await asyncio.to_thread(self._media.open, one.content)
                        opened.callback(content.close)
                        parts.append(Part(one.field, one.name, one.type, content))
            except MediaGone as gone:
                return Result(row.id, row.attempt, "dead", error=str(gone), fingerprint=of_words(row.method, "gone"))
            except (OSError, TransientError) as error:
                # Surely not sent, and no fault of the row.
                log.warning("media_not_read", row=row.id, error=type(error).__name__)
                text = f"its file cannot be read now ({type(error).__name__})"
                return Result(row.id, row.attempt, "retry", due_in=_LATER_SECONDS, error=text, cause="trouble")
            return Upload(row, made, files, ids, parts, opened.pop_all())
        raise AssertionError

    async def send(self, upload: Upload, api_url: str, token: str) -> Result:
        """Make the call, and remember the ids that its answer tells.

        Where Telegram refuses an id that it gave, the ids are forgotten and the row is to be claimed again: it is then
        uploaded.
        """
        row = upload.row
        body = UploadBody(upload.params, upload.parts) if upload.parts else None
        result, answer = await self._api.call(row, upload.params, api_url, token, body)
        if (
            upload.ids
            and result.verdict == "dead"
            and any(sign in (result.error or "").lower() for sign in _REFUSED_ID)
        ):
            refused = [one for one in upload.files if one.field in upload.ids]
            log.info("file_ids_refused", row=row.id, count=len(refused))
            forgotten = await self._asked(partial(self._known.forget, refused), default=False)
            return Result(row.id, row.attempt, "queued", due_in=0 if forgotten else _LATER_SECONDS, error=result.error)
        told = [
            (one, file_id)
            for one in upload.files
            if one.kind and one.field not in upload.ids and (file_id := file_id_of(answer, one))
        ]
        if result.verdict == "sent" and told:
            await self._asked(partial(self._known.remember, told), default=False)
        return result

    async def _asked(self, work: Callable[[], _T], default: _T) -> _T:
        """Without an answer of the database a file is uploaded once more than needed, which is no harm."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._database, work)
        except DATABASE_TROUBLE as error:
            log.warning("file_ids_not_asked", error=type(error).__name__)
            return default
