"""Telegram's limits, shared by all processes: one atomic step in Redis, by Redis' clock. See docs/delivery.md."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from redis.asyncio import Redis

from botyard.settings import Settings
from botyard.telegram.run import Lane

_MESSAGES: Final = "m"
_EDITS: Final = "e"
_FREE: Final = ""


@dataclass(frozen=True, slots=True)
class Permission:
    """What is asked for one send."""

    chat: str
    budget: str
    bulk: bool


def permission(method: str, chat: str, lane: Lane) -> Permission:
    """What a call needs: messages and edits have a budget each per chat; answers and deletions have none."""
    if method.startswith(("send", "copy", "forward")):
        return Permission(chat, _MESSAGES, lane is Lane.BULK)
    return Permission(chat, _EDITS if method.startswith("edit") else _FREE, bulk=False)


class Limiter:
    """Reserve or be told when: it never waits itself.

    Args:
        redis: an asyncio client.
        settings: the limits.
    """

    def __init__(self, redis: "Redis", settings: Settings) -> None:
        folder = files("botyard")
        self._reserve = redis.register_script((folder / "limiter.lua").read_text(encoding="utf-8"))
        self._close = redis.register_script((folder / "limiter_close.lua").read_text(encoding="utf-8"))
        self._limits = (
            settings.limit_private_burst,
            1000 / settings.limit_private_per_second,
            settings.limit_group_per_minute,
            1000 / settings.limit_bulk_per_second,
        )

    async def reserve(self, bot: int, wanted: Sequence[Permission]) -> list[float]:
        """For each send 0.0 (it may go now) or the seconds until it is worth asking again."""
        if not wanted:
            return []
        args: list[str | int | float] = [bot, *self._limits]
        for one in wanted:
            args += (one.chat, one.budget, int(one.bulk))
        return [wait / 1000 for wait in await self._reserve(args=args)]

    async def close(self, bot: int, chat: str, seconds: float) -> None:
        """Telegram refused a chat with 429: nothing goes there before the deadline, not even after a restart."""
        await self._close(args=(bot, chat, int(seconds * 1000)))
