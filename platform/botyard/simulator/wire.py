"""The HTTP/1.1 client that carries updates to webhooks.

A delivery must cost little, because load tests make hundreds of thousands; so this speaks just what a
webhook needs: POST with a body over kept connections, no redirects, no cookies, no decompression.
"""

import asyncio
import ssl
from collections import defaultdict
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

import httptools

CONNECT_SECONDS = 10.0
BODY_LIMIT = 1 << 20
"""Bytes of an answer that are read; a longer one breaks the connection."""


class WireError(Exception):
    """No answer came; the text says why, in the words of getWebhookInfo."""


@dataclass(slots=True)
class Answer:
    """What the webhook answered. Header names are in lower case."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to connect."""

    host: str
    port: int
    secure: bool


@dataclass(frozen=True, slots=True)
class Target:
    """A URL, split once: the address, and the head of each request up to the body's length."""

    address: Address
    head: bytes


def target(url: str, secret_token: str) -> Target:
    """Prepare a webhook's URL and secret for :meth:`Wire.post`."""
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {parts.netloc.rpartition('@')[2]}\r\n"
        "Content-Type: application/json\r\nAccept-Encoding: identity\r\n"
    )
    if secret_token:
        head += f"X-Telegram-Bot-Api-Secret-Token: {secret_token}\r\n"
    return Target(Address(parts.hostname or "", port, secure), f"{head}Content-Length: ".encode())


class _Connection(asyncio.Protocol):
    """One kept connection: carries one request at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.WriteTransport | None = None
        self._waiter: asyncio.Future[Answer] | None = None
        self._answer = Answer()
        self._parser = httptools.HttpResponseParser(self)
        self._pieces: list[bytes] = []
        self._size = 0
        self._begun = False
        self.alive = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes, they only behave like them.
        self._transport = cast("asyncio.WriteTransport", transport)
        self.alive = True

    def connection_lost(self, exc: Exception | None) -> None:
        self.alive = False
        if self._begun and exc is None:
            # An answer without a length ends with its connection.
            self.on_message_complete()
        self._fail(str(exc) if exc else "Connection closed by the webhook")

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(f"Wrong response from the webhook: {error}")
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._answer.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._begun = self._parser.get_status_code() >= 200

    def on_body(self, body: bytes) -> None:
        self._pieces.append(body)
        self._size += len(body)
        if self._size > BODY_LIMIT:
            self._fail("Wrong response from the webhook: too long")
            self.close()

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:
            return
        answer = self._answer
        answer.status, answer.body = status, b"".join(self._pieces)
        if not self._parser.should_keep_alive():
            self.close()
        self._answer, self._pieces, self._size, self._begun = Answer(), [], 0, False
        waiter, self._waiter = self._waiter, None
        if waiter and not waiter.done():
            waiter.set_result(answer)

    async def ask(self, request: bytes, seconds: float) -> Answer:
        """Send one request and wait for its answer."""
        if self._transport is None or not self.alive:
            raise WireError("Connection closed by the webhook")
        waiter: asyncio.Future[Answer] = self._loop.create_future()
        self._waiter = waiter
        timer = self._loop.call_later(seconds, self._fail, "Read timeout expired")
        self._transport.write(request)
        try:
            return await waiter
        except BaseException:
            self.close()
            raise
        finally:
            timer.cancel()

    def close(self) -> None:
        """Close the connection; it carries nothing more."""
        self.alive = False
        if self._transport is not None:
            self._transport.close()

    def _fail(self, words: str) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter and not waiter.done():
            waiter.set_exception(WireError(words))


class Wire:
    """Posts JSON, reusing idle connections by address."""

    def __init__(self) -> None:
        self._idle: dict[Address, list[_Connection]] = defaultdict(list)

    async def post(self, to: Target, body: bytes, seconds: float) -> Answer:
        """Post a body and return the answer, whatever its status.

        Args:
            to: made by :func:`target`.
            body: the JSON to send.
            seconds: how long the answer may take.

        Raises:
            WireError: no whole answer came in time.
        """
        connection = await self._connection(to.address)
        answer = await connection.ask(b"%b%d\r\n\r\n%b" % (to.head, len(body), body), seconds)
        if connection.alive:
            self._idle[to.address].append(connection)
        return answer

    def close(self) -> None:
        """Close all idle connections."""
        for connections in self._idle.values():
            for connection in connections:
                connection.close()
        self._idle.clear()

    async def _connection(self, address: Address) -> _Connection:
        idle = self._idle[address]
        while idle:
            connection = idle.pop()
            if connection.alive:
                return connection
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, made = await asyncio.get_running_loop().create_connection(
                    _Connection,
                    address.host,
                    address.port,
                    ssl=ssl.create_default_context() if address.secure else None,
                )
        except TimeoutError:
            raise WireError("Connection timed out") from None
        except ssl.SSLError as error:
            raise WireError(f"SSL error {error.reason}") from None
        except ConnectionRefusedError:
            raise WireError("Connection refused") from None
        except OSError as error:
            raise WireError(error.strerror or "Connection failed") from None
        except ValueError:
            # A name that no name server is asked for: too long, with empty parts, with a NUL.
            raise WireError("Failed to resolve host") from None
        return made
