"""How a request's body may come: soon, and not nested too deep. See docs/api.md.

Both are looked at when somebody reads it, and so only for those who were let in.
"""

import asyncio
from http import HTTPStatus
from typing import IO, Final

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

DEPTH: Final = 32
SECONDS: Final = 10.0
_BYTES_A_SECOND: Final = 16 * 1024
_WRITTEN_AT_ONCE: Final = 256 * 1024
_BRACKETS: Final = bytes.maketrans(b"{}", b"[]")
_OTHERS: Final = bytes(set(range(256)) - set(b"[]{}"))


class Bodies:
    """Refuses bodies that come too slowly (408), and JSON that is nested too deep (422).

    Args:
        app: what is behind it.
        seconds: for how long JSON may come; anything else may as long as it keeps coming.
    """

    def __init__(self, app: ASGIApp, seconds: float = SECONDS) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            receive = _Body(receive, self._seconds, json=is_json(Headers(scope=scope).get("content-type", "")))
        await self._app(scope, receive, send)


class _Body:
    """The messages of one request."""

    def __init__(self, receive: Receive, seconds: float, *, json: bool) -> None:
        self._receive = receive
        self._seconds = seconds
        self._json = json
        self._until: float | None = None
        self._whole = False

    async def __call__(self) -> Message:
        if self._whole:
            return await self._receive()
        message = await self._next()
        if not self._json or message["type"] != "http.request":
            return message
        parts = [message.get("body", b"")]
        while not self._whole:
            message = await self._next()
            if message["type"] != "http.request":
                return message
            parts.append(message.get("body", b""))
        body = b"".join(parts)
        if deeper(body):
            raise HTTPException(422, f"This JSON is nested deeper than {DEPTH} levels.")
        return {"type": "http.request", "body": body, "more_body": False}

    async def _next(self) -> Message:
        loop = asyncio.get_running_loop()
        if self._until is None:
            self._until = loop.time() + self._seconds
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            headers = {"Connection": "close"}
            raise HTTPException(408, "The body of this request came too slowly.", headers) from None
        self._whole = not message.get("more_body", False)
        if not self._json:
            self._until += len(message.get("body", b"")) / _BYTES_A_SECOND
        return message


async def receive_file(request: Request, content: IO[bytes], most: int, says: str) -> None:
    """Write a body down as it comes, in a thread: the disk may be slow, and others are served meanwhile.

    Args:
        request: whose body.
        content: where to; it is at its beginning afterwards.
        most: how many bytes it may have.
        says: what is answered if it has more.

    Raises:
        HTTPException: it has more.
    """
    size, parts, held = 0, [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > most:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, says)
        parts.append(piece)
        held += len(piece)
        if held >= _WRITTEN_AT_ONCE:
            await run_in_threadpool(content.writelines, parts)
            parts, held = [], 0
    await run_in_threadpool(content.writelines, parts)
    content.seek(0)


def is_json(content_type: str) -> bool:
    """Whether a body of this type is JSON."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def deeper(body: bytes, depth: int = DEPTH) -> bool:
    """Whether JSON has more than so many arrays and objects within each other. What is no JSON is not judged.

    Brackets alone are looked at, all at once level by level: neither parsing nor a walk over each byte is needed.
    """
    if body.count(b"[") + body.count(b"{") <= depth:
        return False
    brackets = b"".join(_outside(body)).translate(_BRACKETS, _OTHERS)
    for _ in range(depth):
        within = brackets.replace(b"[]", b"")
        if len(within) == len(brackets):
            break
        brackets = within
    return brackets.count(b"[") > depth or b"[]" in brackets


def _outside(body: bytes) -> list[bytes]:
    """What of JSON is in no string."""
    return body.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2]
