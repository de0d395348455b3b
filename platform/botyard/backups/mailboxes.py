"""What was accepted and not processed yet: it is in Redis only, and goes with the backup."""

from collections.abc import Iterable, Iterator
from typing import IO, Any, Final, cast

import orjson
from redis import Redis

from botyard.mailbox.keeping import Keeper

_PREFIX: Final = "by:box:"
_AT_ONCE: Final = 500


def write_waiting(redis: "Redis", to: IO[bytes]) -> int:
    """Write every update that waits, a line each; how many. What comes meanwhile may be left out: it is younger."""
    count = 0
    for key in redis.scan_iter(match=f"{_PREFIX}*", count=_AT_ONCE):
        bot, _, chat = key.decode().removeprefix(_PREFIX).partition(":")
        for entry in _entries(redis, key):
            number, _, body = entry.partition(b" ")
            line = {"bot": int(bot), "chat": chat, "update": int(number), "entry": body.decode("utf-8", "replace")}
            to.write(orjson.dumps(line) + b"\n")
            count += 1
    return count


def put_back(keeper: Keeper, lines: Iterable[bytes]) -> int:
    """Take them in again, in their order; how many were new. What was processed after all is known by its number."""
    count = 0
    for line in lines:
        one: dict[str, Any] = orjson.loads(line)
        accepted = keeper.accept(one["bot"], one["chat"], one["update"], one["entry"].encode())
        count += accepted.verdict == "accepted"
    return count


def _entries(redis: "Redis", key: bytes) -> Iterator[bytes]:
    start = 0
    while found := cast("list[bytes]", redis.lrange(key, start, start + _AT_ONCE - 1)):
        yield from found
        start += _AT_ONCE
