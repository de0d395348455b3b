"""A Bot API that says yes to everything, fast enough not to be what is measured.

``python -m benchmarks.botapi PORT`` serves it as a process of its own; `benchmarks.chats` listens in.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable
from typing import Any, Final

import uvloop

_TEXT: Final = "Your order is on its way, it will be there in about thirty minutes."


def http(answer: dict[str, Any]) -> bytes:
    """An answer on a connection that stays open."""
    body = json.dumps(answer, separators=(",", ":")).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def _sent(bot: int) -> bytes:
    chat = {"id": 5550001234, "first_name": "Alexandra", "username": "alex_petrova_90", "type": "private"}
    sender = {"id": bot, "is_bot": True, "first_name": "Bench", "username": "bench_bot"}
    message = {"message_id": 48212, "from": sender, "chat": chat, "date": 1795000001, "text": _TEXT}
    return http({"ok": True, "result": message})


def _me(bot: int) -> bytes:
    may = {"can_join_groups": True, "can_read_all_group_messages": False, "supports_inline_queries": False}
    return http(
        {"ok": True, "result": {"id": bot, "is_bot": True, "first_name": "Bench", "username": "bench_bot"} | may}
    )


_YES: Final = http({"ok": True, "result": True})
_SENT: Final = _sent(4_900_000_001)

Heard = Callable[[bytes, bytes, "Connection"], bytes | None]
"""Given the request line, lowered, and the body: the answer, or nothing for the usual one; ``b""``: none yet."""


class Connection(asyncio.Protocol):
    """One connection of a client.

    Args:
        heard: is told of every call, if somebody listens.
    """

    def __init__(self, heard: Heard | None = None) -> None:
        self._heard = heard
        self._rest = b""

    def connection_made(self, transport: Any) -> None:
        """Keep the way back."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every whole request."""
        buffer = self._rest + data if self._rest else data
        answers = []
        while (end := buffer.find(b"\r\n\r\n")) >= 0:
            head = buffer[:end].lower()
            place = head.find(b"content-length:")
            length = int(head[place + 15 :].split(b"\r\n", 1)[0]) if place >= 0 else 0
            whole = end + 4 + length
            if len(buffer) < whole:
                break
            answers.append(self._answer(head.split(b"\r\n", 1)[0], buffer[end + 4 : whole]))
            buffer = buffer[whole:]
        self._rest = buffer
        if answers:
            self.transport.write(b"".join(answers))

    def _answer(self, line: bytes, body: bytes) -> bytes:
        if self._heard is not None and (answer := self._heard(line, body, self)) is not None:
            return answer
        if b"/sendmessage" in line:
            return _SENT
        if b"/getme" in line:
            return _me(int(line.split(b"/bot", 1)[1].split(b":", 1)[0]))
        if b"/getwebhookinfo" in line:
            return http({"ok": True, "result": {"url": "", "has_custom_certificate": False, "pending_update_count": 0}})
        return _YES


class Counted:
    """How many sends have arrived, and when: every 50 ms."""

    def __init__(self) -> None:
        self.sends = 0

    def heard(self, line: bytes, _: bytes, __: Connection) -> bytes | None:
        """Count; ``/count`` asks."""
        if b"/sendmessage" in line:
            self.sends += 1
            return None
        if b"/count" in line:
            return http({"sends": self.sends, "at": time.monotonic()})
        return None


async def serve(port: int) -> None:
    """Answer for ever."""
    counted = Counted()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(counted.heard), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
