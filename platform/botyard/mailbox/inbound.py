"""The mailboxes as the webhook and the workers' event loops use them. See docs/mailbox.md."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from redis.asyncio import Redis

from botyard.mailbox import scripts
from botyard.mailbox.protocol import (
    APART,
    AWAITED,
    DELIVER,
    PROCESS_UPDATES,
    Held,
    Ticket,
    Times,
    fresh_id,
    parse_held,
    parse_ticket,
)
from botyard.mailbox.trips import Call, Trips


class Accepted(NamedTuple):
    """What became of an update at the door."""

    verdict: Literal["accepted", "known", "full", "gone"]
    ticket: Ticket | None = None
    held: int = 0
    """How many updates wait in the bot's mailboxes, this one included."""


def taking_in(times: Times) -> Callable[[], tuple[Any, ...]]:
    """What the script that takes updates in is told once for a trip: share, deadline, cap, how tickets' ids begin."""
    same = tuple(b"%d" % one for one in (times.share, times.queued, times.cap))
    return lambda: (*same, fresh_id())


def accepted_of(bot: int, raw: Any) -> Accepted:
    """What the script says of an update that it was to take in."""
    if isinstance(raw, int):
        return Accepted("accepted", None, raw)
    if isinstance(raw, list):
        held, ticket = raw
        return Accepted("accepted", None if ticket is None else parse_ticket(PROCESS_UPDATES, bot, ticket), held)
    return Accepted(raw.decode())


@dataclass(frozen=True, slots=True)
class Dropped:
    """What became of a chat after its update was resolved."""

    verdict: Literal["next", "empty", "released", "lost"]
    following: Held | None
    woken: Ticket | None
    """A ticket for the bot's sender, to be sent."""


class Mailboxes:
    """One step of the protocol a method, each of them atomic.

    Args:
        redis: an asyncio client that does not decode responses.
        times: leases, deadlines and caps.
    """

    def __init__(self, redis: "Redis", times: Times) -> None:
        self._redis = redis
        self._times = times
        names = ("take", "done", "fail", "finish", "send_take", "send_release")
        trips = Trips(redis)
        self._call: dict[str, Call] = {name: trips.script(scripts.source(name)) for name in names}
        self._accept = trips.script(scripts.source("accept"), taking_in(times))

    async def accept(self, bot: int, chat: str, update_id: int, body: bytes, query: str | None = None) -> Accepted:
        """Take an update in; answer 200 only after this returned.

        Args:
            bot: the Telegram bot id.
            chat: the key of its mailbox.
            update_id: Telegram's, or a replay's.
            body: the entry.
            query: a callback query that somebody waits for: see `botyard.delivery.unanswered`.
        """
        if query is not None:
            # Before: whoever brings an update again that was accepted is told so, and would not come to this line.
            await self._redis.zadd(AWAITED, {f"{bot} {update_id} {query} {chat}": time.time()}, nx=True)
        return accepted_of(bot, await self._accept(args=(bot, chat, update_id, body)))

    async def lead(self, bot: int, old: str, new: str) -> None:
        """What comes in for a chat from now on goes into another's mailbox: a group became a supergroup."""
        await self._redis.hset(f"by:bot:{bot}", f"alias:{old}", new)

    async def take(
        self, bot: int, ticket: str, tokens: Sequence[str], stamp: int | None, queue: str, *, holding: bool = False
    ) -> list[Held]:
        """Lease the chats that have waited longest, at most as many as there are tokens, by these in their order.

        None: the ticket is retired, leave without ``finish``; unless the slice is ``holding`` other chats.
        """
        t = self._times
        given = "" if stamp is None else stamp
        found = await self._call["take"](args=(bot, ticket, t.lease, t.running, given, queue, int(holding), *tokens))
        return [parse_held(one) for one in found]

    async def done(self, bot: int, held: Held, token: str, *, more: bool, sender: int | None) -> Dropped:
        """The update is resolved in PostgreSQL: drop it.

        Args:
            bot: the Telegram bot id.
            held: what ``take`` or the last ``done`` gave.
            token: the owner token of the take.
            more: the slice goes on, so hand out the chat's next update.
            sender: the bot's row id if its sender is to be woken.
        """
        t = self._times
        wake = "" if sender is None else sender
        args = (bot, held.chat, token, held.update_id, t.lease, int(more), wake, t.queued, fresh_id())
        verdict, following, woken = await self._call["done"](args=args)
        ticket = parse_ticket(DELIVER, sender, woken) if sender is not None else None
        return Dropped(verdict.decode(), parse_held(following) if following else None, ticket)

    async def fail(self, bot: int, held: Held, token: str, delay: float, *, counted: bool) -> bool:
        """Park the chat for ``delay`` seconds; false when the lease was lost.

        A suspect that was put back uncounted has still never come back from a start: it stays one.
        """
        came_back = counted or not held.suspect
        args = (bot, held.chat, token, held.update_id, int(delay * 1000), int(not counted), int(came_back))
        return bool(await self._call["fail"](args=args) == b"parked")

    async def pause(self, bot: int, ticket: str) -> None:
        """Nobody serves this bot: issue no more tickets, retire this one. The registry's next word ends it."""
        await self._redis.hset(f"by:bot:{bot}", "paused", "1")
        await self._redis.zrem(f"by:tix:{bot}", ticket)

    async def lend(self, bot: int, ticket: str) -> bool:
        """This bot's next ticket goes to the queue ``maintenance``, and this one is retired; false: another's does."""
        if not await self._redis.set(APART, bot, nx=True, px=self._times.queued):
            return False
        await self._redis.zrem(f"by:tix:{bot}", ticket)
        return True

    async def keep_apart(self, bot: int, seconds: float) -> None:
        """Its work there begins: nobody else is lent for so long, or until it is called back."""
        await self._redis.set(APART, bot, ex=math.ceil(seconds))

    async def call_back(self, bot: int) -> None:
        """Its tickets go to its own queue again."""
        if await self._redis.get(APART) == str(bot).encode():
            await self._redis.delete(APART)

    async def finish(self, bot: int, ticket: str) -> Ticket | None:
        """The slice is over: retire its ticket; a successor is to be sent if one is returned."""
        t = self._times
        return parse_ticket(
            PROCESS_UPDATES, bot, await self._call["finish"](args=(bot, ticket, t.share, t.queued, fresh_id()))
        )

    async def send_take(self, bot: int, ticket: str, token: str, stamp: int | None) -> str | None:
        """Lease a bot's outbox; the bell to give back at release, or nothing if there is no work to take."""
        t = self._times
        args = (bot, ticket, token, t.lease, t.running, "" if stamp is None else stamp)
        raw = await self._call["send_take"](args=args)
        return None if raw is None else raw.decode()

    async def send_release(self, bot: int, token: str, ticket: str, bell: str, due_in: float | None) -> Ticket | None:
        """Leave a bot's outbox.

        Args:
            bot: the bot's row id.
            token: the owner token of the take.
            ticket: the slice's ticket, retired here.
            bell: what ``send_take`` returned.
            due_in: seconds until its next row is due; 0 at once; none: nothing is waiting.
        """
        due = "" if due_in is None else max(0, int(due_in * 1000))
        args = (bot, token, ticket, bell, due, self._times.queued, fresh_id())
        return parse_ticket(DELIVER, bot, await self._call["send_release"](args=args))
