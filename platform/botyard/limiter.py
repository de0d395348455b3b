"""Telegram's limits, shared by all processes: one atomic step in Redis, by Redis' clock. See docs/delivery.md."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from redis.asyncio import Redis

from botyard.mailbox.protocol import fresh_id
from botyard.mailbox.trips import Trips
from botyard.settings import Settings
from botyard.telegram.run import Lane

HORIZON_SECONDS: Final = 0.25
"""A permit is given for a moment at most so far ahead: nobody sleeps longer over one."""
_MESSAGES: Final = "m"
_EDITS: Final = "e"
_NONE: Final = ""
_BULK: Final = "b"
PAID: Final = "p"
"""The rate of paid broadcasts, see `Permission`."""
_LATE_SECONDS: Final = 0.005


@dataclass(frozen=True, slots=True)
class Permission:
    """What is asked for one send.

    Args:
        chat: whose closing and budget count; empty for answers, which no chat's limit concerns.
        budget: messages and edits of a chat have one each; empty: none.
        rate: the bot's rate for bulk sends, free or paid; empty: none.
        weight: how many sends it counts as.
    """

    chat: str
    budget: str
    rate: str = _NONE
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Permit:
    """The answer: go at a moment, or ask again then.

    Args:
        wanted: what was asked for.
        granted: whether it may go.
        crowded: it may not, because of the bot's rate and not of its chat.
        at: that moment, by this process' monotonic clock, in seconds.
        name: what the permit is called in Redis.
    """

    wanted: Permission
    granted: bool
    crowded: bool
    at: float
    name: str

    @property
    def wait(self) -> float:
        """Seconds from now until its moment; 0.0 when that is here."""
        return max(self.at - time.monotonic(), 0.0)

    @property
    def ask_again(self) -> float:
        """Seconds from now until a refused one is to be asked for: early enough to be there at its moment."""
        return max(self.wait - HORIZON_SECONDS / 2, 0.0)


class Limiter:
    """Reserve or be told when: asking never waits.

    Args:
        redis: an asyncio client.
        settings: the limits.
        window: the seconds that a group's limit is for.
    """

    def __init__(self, redis: "Redis", settings: Settings, window: float = 60.0) -> None:
        self._redis = redis
        folder = files("botyard")
        trips = Trips(redis)
        self._reserve = trips.timed((folder / "limiter.lua").read_text(encoding="utf-8"))
        self._late, self._close, self._follow = (
            trips.script((folder / f"limiter_{name}.lua").read_text(encoding="utf-8"))
            for name in ("late", "close", "follow")
        )
        self._forward = settings.limit_forward_weight
        self._limits = (
            HORIZON_SECONDS * 1000,
            settings.limit_private_burst,
            1000 / settings.limit_private_per_second,
            settings.limit_group_per_minute,
            window * 1000,
            1000 / settings.limit_bulk_per_second,
            1000 / settings.limit_paid_per_second,
        )
        self._closing = (
            settings.limit_refused_chats,
            settings.limit_refused_seconds * 1000,
            settings.limit_careful_seconds * 1000,
        )

    def permission(self, method: str, chat: str, lane: Lane, *, paid: bool = False) -> Permission:
        """What a call needs: messages and edits have a budget each per chat; answers and deletions have none.

        Args:
            method: of the Bot API.
            chat: where it goes.
            lane: scheduled and bulk sends also share the bot's rate.
            paid: it says ``allow_paid_broadcast``.
        """
        if method.startswith("answer"):
            return Permission("", _NONE)
        chat = named(chat)
        if method.startswith(("send", "copy", "forward")) and method != "sendChatAction":
            rate = (PAID if paid else _BULK) if lane.is_paced else _NONE
            return Permission(chat, _MESSAGES, rate, self._forward if method.startswith("forward") else 1)
        return Permission(chat, _EDITS if method.startswith("edit") else _NONE)

    async def reserve(self, bot: int, wanted: Sequence[Permission]) -> list[Permit]:
        """Ask for several sends of one bot at once."""
        if not wanted:
            return []
        # Not the moment's: several questions may be one command, and have the same.
        name = fresh_id()
        args: list[str | int | float] = [bot, *self._limits, name]
        for one in wanted:
            args += (one.chat, one.budget, one.rate, one.weight)
        # From when the question left: a slow answer counts as lateness, and waiting for its turn does not.
        asked, (_, *found) = await self._reserve(args=tuple(args))
        return [
            Permit(one, answer > 0, answer < 0, asked + micros / 1e6, f"{name}:{10 + 4 * number}")
            for number, (one, answer, micros) in enumerate(zip(wanted, found[::2], found[1::2], strict=True))
        ]

    async def come(self, bot: int, permit: Permit) -> None:
        """Sleep until a permit's moment; if that has passed, move what follows, so that no window holds too many."""
        if wait := permit.wait:
            await asyncio.sleep(wait)
        late, wanted = time.monotonic() - permit.at, permit.wanted
        if late > _LATE_SECONDS and (wanted.budget or wanted.rate):
            args = (bot, wanted.chat, wanted.budget, wanted.rate, wanted.weight, permit.name, int(late * 1000) + 1)
            await self._late(args=args)

    async def close(self, bot: int, chat: str, seconds: float) -> bool:
        """Telegram refused a chat with 429: nothing goes there before the deadline, not even after a restart.

        Returns:
            Whether the whole bot is closed until then, because several of its chats were refused within a while.
        """
        return bool(await self._close(args=(bot, named(chat), int(seconds * 1000), *self._closing)))

    async def learn(self, bot: int, name: str, chat: str) -> None:
        """A channel's ``@name`` means this id: from now on both have one budget and one closing."""
        await self._redis.hset(f"by:names:{bot}", named(name), chat)

    async def follow(self, bot: int, old: str, new: str) -> None:
        """A group became a supergroup: what was sent to it counts there, and so does its closing."""
        await self._follow(args=(bot, old, new))


def named(chat: str) -> str:
    """A chat as it is counted: names of channels are the same in any case of letters."""
    return chat.lower() if chat.startswith("@") else chat
