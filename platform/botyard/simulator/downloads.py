"""Files over HTTP: to bots by the path that getFile gave them, to the chat page by their id."""

import mimetypes
import re
from urllib.parse import quote, unquote

from botyard.simulator.asgi import Headers, Scope, Send, header, respond, respond_json
from botyard.simulator.errors import ApiError, ControlError
from botyard.simulator.images import picture_type
from botyard.simulator.model import File
from botyard.simulator.simulator import Simulator

FILE_PATH = "/sim/file/"
SHOWN = ("image/png", "image/jpeg", "image/gif", "image/webp", "audio/", "video/")
"""Types that a browser shows without running anything in them; all else it must save."""
SAFE: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; sandbox"),
    (b"cache-control", b"private, max-age=3600"),
    (b"accept-ranges", b"bytes"),
]
RANGE = re.compile(r"bytes=([0-9]{0,15})-([0-9]{0,15})")
"""One part of a file: sound and film are fetched so, and some browsers play them no other way."""


async def send_to_bot(simulator: Simulator, scope: Scope, send: Send) -> None:
    """Answer ``/file/bot<token>/<file_path>``, for an hour after getFile (Bot API, getFile)."""
    token, _, path = unquote(scope["path"].removeprefix("/file/bot")).partition("/")
    world = simulator.world
    bot = world.tokens.get(token)
    if bot is None:
        await respond_json(send, 401, ApiError(401, "Unauthorized").as_json())
        return
    path = path.removeprefix("test/")
    file = world.files.get(path.partition("file_")[2].partition(".")[0])
    content = _content(simulator, file) if file and file.path == path else None
    allowed = file is not None and content is not None and file.links.get(bot.id, 0.0) > world.now()
    event = {"bot_id": bot.id, "chat_id": None, "path": path, "at": world.now(), "ok": allowed}
    simulator.history.add("download", event)
    if content is None or not allowed:
        await respond_json(send, 404, ApiError(404, "Not Found").as_json())
    else:
        await respond(send, 200, content, [(b"content-type", b"application/octet-stream")])


async def send_to_page(simulator: Simulator, scope: Scope, send: Send) -> None:
    """Answer ``GET /sim/file/<file_unique_id>``, with ``Range`` a part of it.

    Whoever sent the file chose what is in it, and the page's origin may give orders: so a browser may neither guess
    its type nor run anything in it.

    Raises:
        ControlError: there is no such file, or its bytes were dropped.
    """
    file = simulator.world.files.get(scope["path"].removeprefix(FILE_PATH))
    content = _content(simulator, file) if file else None
    if file is None or content is None or scope["method"] != "GET":
        raise ControlError(404, "there is no such file, or it is no longer kept")
    shown = file.shown[-1]
    mime_type = str(shown.get("mime_type") or picture_type(content) or mimetypes.guess_type(file.path)[0] or "")
    inline = mime_type.startswith(SHOWN) and mime_type.isascii() and mime_type.isprintable()
    name = quote(shown.get("file_name") or file.path.rpartition("/")[2])
    how = "inline" if inline else "attachment"
    headers = [
        (b"content-type", mime_type.encode() if inline else b"application/octet-stream"),
        (b"content-disposition", f"{how}; filename*=UTF-8''{name}".encode()),
    ]
    wanted = RANGE.fullmatch(header(scope, b"range"))
    if wanted and (wanted[1] or wanted[2]):
        await _send_part(send, content, wanted[1], wanted[2], headers + SAFE)
    else:
        await respond(send, 200, content, headers + SAFE)


async def _send_part(send: Send, content: bytes, first: str, last: str, headers: Headers) -> None:
    """Send the bytes from the first to the last, both counted; without a first so many of the end (RFC 9110, 14)."""
    size = len(content)
    begin = int(first) if first else max(size - int(last), 0)
    end = min(int(last), size - 1) if first and last else size - 1
    if begin > end:
        await respond(send, 416, b"", [(b"content-range", b"bytes */%d" % size)])
        return
    place = (b"content-range", b"bytes %d-%d/%d" % (begin, end, size))
    await respond(send, 206, content[begin : end + 1], [*headers, place])


def _content(simulator: Simulator, file: File) -> bytes | None:
    return simulator.world.vault.get(file.bytes_of or file.unique_id)
