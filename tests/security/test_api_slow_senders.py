"""Whoever sends slowly, endlessly or nothing holds up nobody else, and is sent away."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from botyard.embedded import free_port, port_is_free
from botyard.web.api import bodies
from tests.e2e.yard import wait_until
from tests.integration.api.callers import superadmin
from tests.services import Services

SLOW: Final = 200
ENDLESS: Final = 5
ASKED: Final = 150
HEAD: Final = (
    "POST /api/customers HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nAuthorization: Bearer {}\r\n"
)


@pytest.fixture
def port(clean: Services) -> Iterator[int]:  # noqa: ARG001 - the process finds it in the environment
    """The web process as it is deployed."""
    number = free_port()
    uvicorn = str(Path(sys.executable).parent / "uvicorn")
    options = ("--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "critical")
    command = [uvicorn, "botyard.web:app", "--port", str(number), *options]
    server = subprocess.Popen(command, env={**os.environ, "API_RATE": "0"})
    try:
        wait_until(lambda: not port_is_free("127.0.0.1", number), 60, "the web process answers")
        yield number
    finally:
        server.terminate()
        server.wait()


async def answer_to(port: int, sent: bytes, *, more: bytes = b"", pause: float = 0.5, until: float = 40) -> bytes:
    """The first line of what comes back to somebody who sends this, and then more and more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def go_on() -> None:
        while more:
            await asyncio.sleep(pause)
            writer.write(more)
            await writer.drain()

    writer.write(sent)
    going = asyncio.ensure_future(go_on())
    try:
        async with asyncio.timeout(until):
            return await reader.readline()
    except (TimeoutError, ConnectionError):
        return b""
    finally:
        going.cancel()
        writer.close()


async def waits(port: int, token: str) -> list[float]:
    """How long others wait, one request after the other, sorted."""
    sent = f"GET /api/v1/bots HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    took = []
    for _ in range(ASKED):
        began = time.monotonic()
        assert b"200" in await answer_to(port, sent)
        took.append(time.monotonic() - began)
    return sorted(took)


async def test_nobody_waits_for_slow_or_endless_senders(port: int) -> None:
    token = superadmin()
    quiet = await waits(port, token)
    head = HEAD.format(token).encode()
    drips = [answer_to(port, head + b"Content-Length: 900000\r\n\r\n", more=b" ") for _ in range(SLOW)]
    halves = [answer_to(port, head[:60], until=bodies.SECONDS) for _ in range(SLOW)]
    chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    endless = [
        answer_to(port, head + b"Transfer-Encoding: chunked\r\n\r\n", more=chunk, pause=0) for _ in range(ENDLESS)
    ]
    sending = asyncio.gather(*drips, *halves, *endless)
    await asyncio.sleep(0)
    beside = await waits(port, token)
    answers = await sending
    assert [line for line in answers[:SLOW] if b"408" not in line] == []
    # They are refused after a mebibyte, or cut off while they go on sending.
    assert [line for line in answers[-ENDLESS:] if line and b"413" not in line] == []
    assert beside[int(ASKED * 0.95)] < quiet[int(ASKED * 0.95)] + 0.5


async def test_a_stranger_with_a_body_to_come_is_refused_at_once(port: int) -> None:
    sent = HEAD.format("by_unknown").encode() + b"Content-Length: 900000\r\n\r\n"
    began = time.monotonic()
    assert b"401" in await answer_to(port, sent, more=b" ")
    assert time.monotonic() - began < bodies.SECONDS
