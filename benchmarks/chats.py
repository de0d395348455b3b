"""People in a hundred thousand chats, as the Bot API's own side of a webhook or of polling sees them.

Each update asks to be answered ``u<its id>``; from its birth to that answer is its latency.
"""

import asyncio
import json
import random
import re
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

from benchmarks.botapi import Connection, http
from benchmarks.rounds import Sample

CHATS: Final = 100_000
FIRST_CHAT: Final = 5_000_000_000
FIRST_UPDATE: Final = 900_000_000
OUTSTANDING: Final = 64
_CONNECTIONS: Final = 40
"""Telegram's ``max_connections``."""
_WARM_UP_SECONDS: Final = 1.5
_PATIENCE_SECONDS: Final = 60.0
_LAST_SECONDS: Final = 10.0
_runs: Final = count()
_ANSWER: Final = re.compile(rb"u(\d{9,})")


def fresh_ids() -> int:
    """The first of a million ids of updates that no other run has used."""
    return FIRST_UPDATE + 1_000_000 * next(_runs)


def update(update_id: int, chat: int, size: int = 600) -> bytes:
    """A text message of a private chat, of so many bytes."""
    person = {"id": chat, "first_name": "Alexandra", "last_name": "Petrova", "username": "alex_petrova_90"}
    message = {
        "message_id": 48211,
        "from": {**person, "is_bot": False, "language_code": "en", "is_premium": True},
        "chat": {**person, "type": "private"},
        "date": 1795000000,
        "text": "/order ",
        "entities": [{"offset": 0, "length": 6, "type": "bot_command"}],
    }
    bare = len(json.dumps({"update_id": update_id, "message": message}, separators=(",", ":")))
    message["text"] = "/order " + ("two pizzas and a lemonade to the usual place please, " * 20)[: size - bare]
    return json.dumps({"update_id": update_id, "message": message}, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class Door:
    """Where a bot's updates are posted.

    Args:
        port: of the server.
        path: of the webhook.
        secret: of the webhook.
    """

    port: int
    path: str
    secret: str

    def head(self) -> bytes:
        """The request up to its length."""
        return (
            f"POST {self.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"X-Telegram-Bot-Api-Secret-Token: {self.secret}\r\nContent-Length: "
        ).encode()


class _Hook(asyncio.Protocol):
    """One connection by which updates are posted."""

    def __init__(self, chats: "Chats") -> None:
        self._chats = chats

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._chats.free.append(self)

    def connection_lost(self, _: Exception | None) -> None:
        if self in self._chats.free:
            self._chats.free.remove(self)

    def data_received(self, data: bytes) -> None:
        if not data.startswith(b"HTTP/1.1"):
            return  # a body that came apart from its head
        if data[9:12] != b"200":
            raise RuntimeError(data[:200])
        self._chats.free.append(self)
        self._chats.pump()


@dataclass(slots=True)
class Chats:
    """All of them.

    Args:
        doors: where updates are posted, in turn; none: they are fetched by getUpdates.
        chats: how many there are.
    """

    doors: Sequence[Door] = ()
    chats: int = CHATS
    free: list[_Hook] = field(default_factory=list)
    done: int = 0
    """Updates that were answered."""
    sends: int = 0
    """Calls of sendMessage, whatever they say."""
    latencies: list[float] = field(default_factory=list)
    _ready: "deque[bytes]" = field(default_factory=deque)
    _born: dict[int, float] = field(default_factory=dict)
    _next: int = field(default_factory=fresh_ids)
    _waiting: Connection | None = None
    _endless: bool = False
    _heads: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._heads = [door.head() for door in self.doors]
        self._template = update(FIRST_UPDATE, FIRST_CHAT).replace(str(FIRST_CHAT).encode(), b"@")
        self._template = self._template.replace(str(FIRST_UPDATE).encode(), b"#")

    _template: bytes = b""

    def offer(self) -> None:
        """An update comes into being, in the next chat."""
        self._next += 1
        chat = FIRST_CHAT + self._next % self.chats
        self._born[self._next] = time.perf_counter()
        self._ready.append(self._template.replace(b"@", b"%d" % chat).replace(b"#", b"%d" % self._next))

    def pump(self) -> None:
        """Hand over what is ready."""
        if not self._heads:
            if self._waiting is not None and self._ready:
                waiting, self._waiting = self._waiting, None
                waiting.transport.write(self._batch())
            return
        while self._ready and self.free:
            body = self._ready.popleft()
            head = self._heads[self._next % len(self._heads)]
            self.free.pop().transport.write(head + b"%d\r\n\r\n" % len(body) + body)

    def heard(self, line: bytes, body: bytes, connection: Connection) -> bytes | None:
        """A call of the bot's."""
        if b"/sendmessage" in line:
            self.sends += 1
            if (found := _ANSWER.search(body)) is not None:
                self._answered(int(found.group(1)))
            return None
        if b"/getupdates" not in line or self._heads:
            return None
        if self._ready:
            return self._batch()
        self._waiting = connection
        return b""

    def _batch(self) -> bytes:
        some = [self._ready.popleft() for _ in range(min(len(self._ready), 100))]
        return http({"ok": True, "result": []}) if not some else _updates(some)

    def _answered(self, update_id: int) -> None:
        born = self._born.pop(update_id, None)
        if born is None:
            return
        self.done += 1
        self.latencies.append(time.perf_counter() - born)
        if self._endless:
            self.offer()
            self.pump()

    async def connect(self) -> None:
        """Open the connections, and wait for the first answer."""
        until = time.monotonic() + _PATIENCE_SECONDS
        while not self.done:
            if time.monotonic() > until:
                raise RuntimeError("the bot never answered")
            if self.doors and not self.free:
                await self._open()
            if not self._ready:
                self.offer()
            self.pump()
            await asyncio.sleep(0.2)
        await asyncio.sleep(0.5)

    async def _open(self) -> None:
        for number in range(_CONNECTIONS):
            port = self.doors[number % len(self.doors)].port
            await asyncio.get_running_loop().create_connection(lambda: _Hook(self), "127.0.0.1", port)

    async def flood(self, count: int) -> None:
        """So many updates, as fast as they are taken in."""
        await self._open()
        for _ in range(count):
            self.offer()
        self.pump()
        while self._ready:  # noqa: ASYNC110 - how soon it is noticed changes nothing
            await asyncio.sleep(0.05)

    async def first_send(self) -> None:
        """Wait until somebody sends something."""
        until = time.monotonic() + _PATIENCE_SECONDS
        while not self.sends:
            if time.monotonic() > until:
                raise RuntimeError("nothing is sent")
            await asyncio.sleep(0.05)

    async def as_fast_as_it_goes(self, seconds: float) -> float:
        """Answers per second, with 64 updates outstanding at any moment."""
        self._endless = True
        for _ in range(OUTSTANDING):
            self.offer()
        self.pump()
        await asyncio.sleep(_WARM_UP_SECONDS)
        self.latencies.clear()
        done, began = self.done, time.perf_counter()
        await asyncio.sleep(seconds)
        rate = (self.done - done) / (time.perf_counter() - began)
        self._endless = False
        await self._rest()
        return rate

    async def _rest(self) -> None:
        """Wait for the last answers: whoever stands still with updates in hand has lost them when it goes on.

        Then they are tried again after a while, and what is written in these chats meanwhile waits behind them.
        """
        until = time.monotonic() + _LAST_SECONDS
        while self._born and time.monotonic() < until:  # noqa: ASYNC110 - how soon it is noticed changes nothing
            await asyncio.sleep(0.05)
        # What was answered is to be resolved, too.
        await asyncio.sleep(0.5)

    async def at_a_pace(self, seconds: float, per_second: float) -> None:
        """Updates come by chance, so many a second."""
        self.latencies.clear()
        dice, began, due = random.Random(7), time.perf_counter(), 0.0
        while due < seconds:
            due += dice.expovariate(per_second)
            await asyncio.sleep(max(0.0, began + due - time.perf_counter()))
            self.offer()
            self.pump()
        await self._rest()

    def sample(self, value: float, cpu: float | None = None) -> Sample:
        """A run's figures, with the latencies since its beginning."""
        if not self.latencies:
            return Sample(value, cpu=cpu)
        return Sample(value, percentile(self.latencies, 0.5) * 1e3, percentile(self.latencies, 0.99) * 1e3, cpu)


def _updates(some: Sequence[bytes]) -> bytes:
    body = b'{"ok":true,"result":[' + b",".join(some) + b"]}"
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def percentile(values: Sequence[float], part: float) -> float:
    """The value below which this part of them lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]
