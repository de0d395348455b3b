"""The little of ASGI that all parts of the server need."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

JSON_TYPE = (b"content-type", b"application/json")
BODY_LIMIT = 64 << 20
"""Bytes of a request: a batch of thousands of messages fits, a mistake does not fill the memory."""


class TooLargeError(Exception):
    """The request's body is longer than :data:`BODY_LIMIT`."""


class GoneError(Exception):
    """The client went away before its request was complete."""


async def read_body(receive: Receive) -> bytes:
    """Return the whole body of a request.

    Raises:
        GoneError: only a part of it came. Half a form would look like a whole one.
        TooLargeError: it does not end.
    """
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise GoneError
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > BODY_LIMIT:
            raise TooLargeError
        if not message.get("more_body"):
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def header(scope: Scope, name: bytes) -> str:
    """Return a request header, named in lower case; empty when it is missing."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value.decode("latin-1"))
    return ""


async def respond(send: Send, status: int, body: bytes, headers: Headers) -> None:
    """Send a whole response; its length is added."""
    full = [(b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": full})
    await send({"type": "http.response.body", "body": body})


async def respond_json(send: Send, status: int, value: Any) -> None:
    """Send a value as JSON."""
    await respond(send, status, orjson.dumps(value), [JSON_TYPE])
