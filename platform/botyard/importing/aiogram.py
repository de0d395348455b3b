"""What aiogram's RedisStorage has kept: states and data, by the keys that its DefaultKeyBuilder makes.

A person's states in all chats become one value of their ``user_data``: ``user_data["aiogram"]``, by the chat.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import redis

from botyard.errors import InputError, TransientError
from botyard.importing.items import LARGEST_ID, Item, Person, Remembered
from botyard.importing.report import Report
from botyard.importing.settling import Settler

PLACE: Final = "aiogram"
"""Under which key of ``user_data``."""
_SCAN: Final = 1000
_PEOPLE: Final = 250
_LARGEST_VALUE: Final = 8 * 1024 * 1024
_NUMBER: Final = re.compile(r"-?[1-9]\d{0,15}", re.ASCII)
_SECONDS: Final = 10


@dataclass(frozen=True, slots=True)
class KeyBuilder:
    """How the keys are built: what aiogram's ``DefaultKeyBuilder`` was told, by the same names.

    Args:
        prefix: what they begin with.
        separator: what stands between their parts.
        with_bot_id: whether the bot's number stands in them.
        with_business_connection_id: whether that stands in them.
        with_destiny: whether that stands in them.
    """

    prefix: str = "fsm"
    separator: str = ":"
    with_bot_id: bool = False
    with_business_connection_id: bool = False
    with_destiny: bool = False


class Place(NamedTuple):
    """What one key is about."""

    bot_id: str | None
    connection: str | None
    chat_id: int
    thread_id: int | None
    user_id: int
    destiny: str | None
    part: str

    @property
    def name(self) -> str:
        """The chat, as ``-100200``, ``-100200/7`` for a topic, ``b<connection>:5``, and ``…#destiny``."""
        chat = f"b{self.connection}:{self.chat_id}" if self.connection else str(self.chat_id)
        thread = f"/{self.thread_id}" if self.thread_id is not None else ""
        return chat + thread + (f"#{self.destiny}" if self.destiny not in (None, "default") else "")


class RedisStorage:
    """A Redis in which aiogram has kept what its bot remembers.

    Args:
        url: of the Redis, which is only read.
        builder: how its keys are built.
        telegram_id: the bot's number at Telegram: where keys name bots, those of others are left out.
        report: is told what is left out.
    """

    def __init__(self, url: str, builder: KeyBuilder, telegram_id: int, report: Report) -> None:
        self._url = url
        self._builder = builder
        self._bot_id = str(telegram_id)
        self._report = report
        self._settler = Settler(report)
        self._total = 0
        self._done = 0

    def share(self) -> float | None:
        """How much of it was handed on, once all keys are known."""
        return self._done / self._total if self._total else None

    def items(self) -> Iterator[Item]:
        """People, and what is remembered of them.

        Raises:
            InputError: the address is none.
            TransientError: the Redis cannot be reached.
        """
        try:
            client = redis.Redis.from_url(self._url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS)
        except ValueError:
            raise InputError("source", "is no address of a Redis.", "Write it as redis://host:6379/0.") from None
        try:
            with client:
                yield from self._of(client)
        except redis.RedisError as error:
            raise TransientError(f"the Redis to import from cannot be read ({type(error).__name__})") from error

    def _of(self, client: "redis.Redis") -> Iterator[Item]:
        keys = self._keys(client)
        self._total = len(keys)
        # In an order that is the same each time, so that an import can go on where it was interrupted.
        users = sorted(keys)
        for begin in range(0, len(users), _PEOPLE):
            some = users[begin : begin + _PEOPLE]
            values = iter(client.mget([key for user in some for key in keys[user]]))
            for user_id in some:
                self._done += 1
                yield Person(user_id)
                found = [(key, next(values)) for key in keys[user_id]]
                state = self._settler.row({PLACE: self._remembered(found)}, f"user_data[{user_id}]")
                if state is not None:
                    yield Remembered("user", str(user_id), state)

    def _keys(self, client: "redis.Redis") -> dict[int, list[bytes]]:
        """All keys, by person; SCAN may name one twice."""
        found: dict[int, set[bytes]] = {}
        pattern = _escaped(self._builder.prefix + self._builder.separator) + "*"
        for key in client.scan_iter(match=pattern, count=_SCAN, _type="string"):
            place = self._place(key)
            if place is not None:
                found.setdefault(place.user_id, set()).add(key)
        return {user_id: sorted(keys) for user_id, keys in found.items()}

    def _place(self, key: bytes) -> Place | None:
        name = key.decode("utf-8", "replace")
        place = read_key(name, self._builder)
        if place is None:
            self._report.skip("a key of another form: see --with-bot-id and the like", name)
        elif place.bot_id is not None and place.bot_id != self._bot_id:
            self._report.skip(f"of another bot: {place.bot_id}", name)
        elif place.part == "lock":
            return None
        elif place.part in ("state", "data"):
            return place
        else:
            self._report.skip("neither a state nor data", name)
        return None

    def _remembered(self, values: Sequence[tuple[bytes, Any]]) -> dict[str, Any]:
        chats: dict[str, dict[str, Any]] = {}
        for key, value in values:
            place = read_key(key.decode("utf-8", "replace"), self._builder)
            # It may have expired meanwhile.
            if place is None or value is None:
                continue
            text = value.decode("utf-8", "replace")
            try:
                read = text if place.part == "state" else json.loads(text) if len(text) <= _LARGEST_VALUE else None
            except (ValueError, RecursionError):
                read = None
            if read is None:
                self._report.skip("data that is no JSON, or too large", key.decode("utf-8", "replace"))
                continue
            chats.setdefault(place.name, {})[place.part] = read
        return chats


def read_key(key: str, builder: KeyBuilder) -> Place | None:
    """What a key is about; nothing if it is not built so."""
    begin = builder.prefix + builder.separator
    parts = key.removeprefix(begin).split(builder.separator)
    if not key.startswith(begin):
        return None
    try:
        bot_id = parts.pop(0) if builder.with_bot_id else None
        numbered = not builder.with_business_connection_id or _NUMBER.fullmatch(parts[0])
        connection = None if numbered else parts.pop(0)
        part = parts.pop()
        destiny = parts.pop() if builder.with_destiny else None
    except IndexError:
        return None
    if len(parts) not in (2, 3) or not all(_NUMBER.fullmatch(one) and abs(int(one)) <= LARGEST_ID for one in parts):
        return None
    chat_id, user_id = int(parts[0]), int(parts[-1])
    if user_id < 0:
        return None
    return Place(bot_id, connection, chat_id, int(parts[1]) if len(parts) > 2 else None, user_id, destiny, part)


def _escaped(pattern: str) -> str:
    return re.sub(r"([\\*?\[\]])", r"\\\1", pattern)
