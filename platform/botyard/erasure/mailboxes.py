"""What Redis holds of a person: updates that wait for their turn, and their chat's places, closings and permits."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, cast

import orjson
from redis import Redis

from botyard.erasure.places import Person
from botyard.erasure.traces import Traces
from botyard.mailbox import scripts
from botyard.mailbox.protocol import AWAITED

_BATCH: Final = 1000
_SORTED: Final = ("by:shut:{bot}", "by:refused:{bot}")


class Mailboxes:
    """The mailboxes of one bot.

    Args:
        redis: where they are; its client does not decode responses.
        person: who is to be forgotten.
        keys: those of all bots that end in their number.
    """

    def __init__(self, redis: "Redis", person: Person, keys: Sequence[str]) -> None:
        self._redis, self._person, self._keys = redis, person, keys
        self._drop = redis.register_script(scripts.source("drop"))

    def forget(self) -> int:
        """Drop what waits of them, also in groups; how many updates that were. What others wrote stays."""
        dropped = 0
        for identity in self._person.identities:
            for chat in self._chats(identity):
                dropped += self._of_chat(identity, chat)
        self._forget_callbacks()
        self._forget_limits()
        return dropped

    def is_held(self) -> bool:
        """Whether a worker is at an update of their private chat right now."""
        names = (name.decode() for identity in self._person.identities for name in self._owned(identity))
        return any(self._person.traces.owns(name) for name in names)

    def _owned(self, identity: int) -> Iterable[bytes]:
        return cast("list[bytes]", self._redis.hkeys(f"by:own:{identity}"))

    def _chats(self, identity: int) -> list[str]:
        """Also mailboxes that no list names, which a crash may leave."""
        known = cast("list[bytes]", self._redis.zrange(f"by:chats:{identity}", 0, -1))
        own = {one.split(":", 3)[3] for one in self._keys if one.startswith(f"by:box:{identity}:")}
        return sorted({one.decode() for one in known} | own)

    def _of_chat(self, identity: int, chat: str) -> int:
        traces = self._person.traces
        if traces.owns(chat):
            return int(cast("Any", self._drop(args=(identity, chat))))
        entries = cast("list[bytes]", self._redis.lrange(f"by:box:{identity}:{chat}", 0, -1))
        pairs = [part for entry in entries for part in _instead(traces, entry)]
        return int(cast("Any", self._drop(args=(identity, chat, *pairs)))) if pairs else 0

    def _forget_callbacks(self) -> None:
        own = {str(identity) for identity in self._person.identities}
        waiting = cast("Iterable[tuple[bytes, float]]", self._redis.zscan_iter(AWAITED, count=_BATCH))
        for member, _ in waiting:
            bot, _, rest = member.decode().partition(" ")
            if bot in own and self._person.traces.owns(rest.rpartition(" ")[2]):
                self._redis.zrem(AWAITED, member)

    def _forget_limits(self) -> None:
        bot, traces = self._person.bot_id, self._person.traces
        for key in _SORTED:
            for member in cast("list[bytes]", self._redis.zrange(key.format(bot=bot), 0, -1)):
                if traces.owns(member.decode()):
                    self._redis.zrem(key.format(bot=bot), member)
        names = cast("dict[bytes, bytes]", self._redis.hgetall(f"by:names:{bot}"))
        for name, chat in names.items():
            if traces.owns(chat.decode()) or name.decode().removeprefix("@") in traces.names:
                self._redis.hdel(f"by:names:{bot}", name)
        found = [key for key in self._keys if key.startswith((f"by:lim:{bot}:", f"by:upkeep:{bot}:"))]
        if found:
            self._redis.unlink(*found)


def _instead(traces: Traces, entry: bytes) -> tuple[bytes, bytes] | tuple[()]:
    """An entry of a group's mailbox that tells of them, and what takes its place; nothing if it does not."""
    head, _, body = entry.partition(b" ")
    stamp, _, content = body.partition(b" ")
    try:
        update = orjson.loads(content)
    except orjson.JSONDecodeError:
        return ()
    if traces.made(update):
        return entry, b""
    left = traces.without(update)
    return () if left == update else (entry, b"%b %b %b" % (head, stamp, orjson.dumps(left)))
