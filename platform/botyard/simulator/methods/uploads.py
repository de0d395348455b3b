"""Reading a file that a call names: as an upload, as an ``attach://`` name, as an id, as a URL."""

import mimetypes
from urllib.parse import urlsplit

from botyard.simulator.errors import ApiError, bad_request
from botyard.simulator.files import read_file_id
from botyard.simulator.forms import Upload
from botyard.simulator.images import blank_picture
from botyard.simulator.media import KINDS, Kind, content_of, keep
from botyard.simulator.methods.call import Call
from botyard.simulator.model import File, Json
from botyard.simulator.params import Params

BLANK_SIZE = (800, 600)
"""Width and height of the picture that stands for a photo named by its URL, in pixels."""
DOCUMENTS_BY_URL = (".gif", ".pdf", ".zip")
"""Endings of documents that Telegram fetches by their URL (Bot API, "Sending files")."""
THUMBNAIL_LIMIT = 200 << 10
"""Bytes of a thumbnail."""


def read_media(call: Call, name: str, value: object, source: Params, missing: str) -> Json:
    """Return the content of a message with the file that a call names.

    Args:
        call: a call; uploads are among its parameters.
        name: the kind of file, such as ``photo``.
        value: how the file is named.
        source: where its ``duration``, ``thumbnail`` and the like are told.
        missing: Telegram's words when no file is named.

    Raises:
        ApiError: there is no such file, it is of another kind, or it is not accepted.
    """
    kind = KINDS[name]
    found = _find(call, kind, value)
    if found is None:
        raise bad_request(missing)
    if isinstance(found, File):
        return content_of(found)
    if kind.name == "document" and _is_gif(found) and not source.flag("disable_content_type_detection"):
        kind = KINDS["animation"]
    told: Json = {field: source.integer(field, 0) for field in kind.numbers}
    told |= {field: source.text(field) for field in (*kind.texts, "emoji")}
    return content_of(keep(call.world, kind, found, told, _thumbnail(call, source)))


def file_of(call: Call, file_id: str, words: str) -> File:
    """Return the file that a bot knows by an id.

    Raises:
        ApiError: with the given words, when it is another bot's id or none at all.
    """
    known = read_file_id(file_id)
    file = call.world.files.get(known[1]) if known and known[0] == call.bot.id else None
    if file is None:
        raise bad_request(words)
    return file


def _find(call: Call, kind: Kind, value: object) -> Upload | File | None:
    if isinstance(value, Upload):
        return value
    if not isinstance(value, str) or not value:
        return None
    if value.startswith("attach://"):
        attached = call.params.values.get(value.removeprefix("attach://"))
        return attached if isinstance(attached, Upload) else None
    if "." in value:
        return _by_url(kind, value)
    if read_file_id(value) is None:
        raise bad_request("wrong remote file identifier specified: Wrong character in the string")
    file = file_of(call, value, "wrong file identifier/HTTP URL specified")
    # Telegram tells pictures from all other files; those it shows as what they are, whatever the method is called.
    if file.kind != kind.name and {"photo", "thumbnail"} & {file.kind, kind.name}:
        raise bad_request(f"can't use file of type {KINDS[file.kind].type} as {kind.type}")
    return file


def _by_url(kind: Kind, url: str) -> Upload:
    """Return what stands for a file on the web. The simulator never fetches anything."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host = parts.hostname or ""
    except ValueError:
        raise _bad_url("wrong URL") from None
    if parts.scheme not in {"http", "https"}:
        raise _bad_url("Unsupported URL protocol")
    if "." not in host or host.endswith(".invalid"):
        raise bad_request("failed to get HTTP URL content")
    name = parts.path.rpartition("/")[2]
    mime_type = mimetypes.guess_type(name)[0] or ""
    if kind.name == "video_note":
        raise bad_request("wrong file identifier/HTTP URL specified")
    wrong_document = kind.name == "document" and not name.lower().endswith(DOCUMENTS_BY_URL)
    if wrong_document or (kind.name == "photo" and mime_type and not mime_type.startswith("image/")):
        raise bad_request("wrong type of the web page content")
    content = blank_picture(*BLANK_SIZE) if kind.name == "photo" else f"stands for {url}\n".encode()
    return Upload(name, mime_type, content)


def _bad_url(words: str) -> ApiError:
    return bad_request(f"invalid file HTTP URL specified: {words}")


def _is_gif(upload: Upload) -> bool:
    return bool(upload["mime_type"] == "image/gif" or upload.content[:4] == b"GIF8")


def _thumbnail(call: Call, source: Params) -> Json | None:
    """Return the thumbnail as a ``PhotoSize``. Telegram takes uploads alone and ignores whatever else is named."""
    for name in ("thumbnail", "thumb"):
        value = source.values.get(name)
        if isinstance(value, str) and value.startswith("attach://"):
            value = call.params.values.get(value.removeprefix("attach://"))
        if isinstance(value, Upload) and len(value.content) <= THUMBNAIL_LIMIT:
            return keep(call.world, KINDS["thumbnail"], value).shown[0]
    return None
