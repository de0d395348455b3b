"""One ticket's worth of sending: a short time slice of one bot's outbox. See docs/delivery.md."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, TypeVar

import structlog
from redis.exceptions import RedisError

from botyard.bots.registry import ServedBot
from botyard.delivery.calls import ApiClient, with_real_ids
from botyard.delivery.outbox import Outbox, Result, Row
from botyard.hosting import Host
from botyard.limiter import Limiter, Permit
from botyard.mailbox.keeping import Keeper
from botyard.mailbox.leases import Lease, Renewer
from botyard.mailbox.protocol import fresh_id
from botyard.mailbox.tickets import TicketQueue
from botyard.telegram.outbox_bot import provisional_ids
from botyard.telegram.run import of_provisional_id
from botyard.telegram.test_mode import HELD_BACK, audience_of
from botyard.telegram.tokens import open_sealed
from botyard.telemetry import metrics
from db.engine import DATABASE_TROUBLE

log = structlog.get_logger(__name__)

_WINDOW: Final = 50
_GATHER_SECONDS: Final = 0.02
_AFTER_TROUBLE_SECONDS: Final = 1.0
_RECORD_AGAIN_SECONDS: Final = (0.1, 0.5, 1.0, 2.0)
_T = TypeVar("_T")


class SendingSlice:
    """Sends what is due of one bot, in order, until its time is over or nothing is due.

    Args:
        host: clients of this loop.
        api: calls of the Bot API.
        limiter: permits.
        keeper: renews the lease from the renewer's thread.
        renewer: that thread.
        tickets: where tickets go.
    """

    def __init__(
        self, host: Host, api: ApiClient, limiter: Limiter, keeper: Keeper, renewer: Renewer, tickets: TicketQueue
    ) -> None:
        self._host = host
        self._api = api
        self._limiter = limiter
        self._keeper = keeper
        self._renewer = renewer
        self._tickets = tickets
        self._lost = False
        self._flying: set[asyncio.Task[Result]] = set()
        self._ended: list[Result] = []

    async def run(self, bot_id: int, ticket: str, stamp: int | None) -> None:
        """Work the slice; ``stamp`` is when the ticket was born, in milliseconds of Redis' clock."""
        token = fresh_id()
        bell = await self._host.mailboxes.send_take(bot_id, ticket, token, stamp)
        if bell is None:
            return
        lease = self._renewer.keep(
            lambda: self._keeper.send_renew(bot_id, token, ticket), self._host.settings.slice_seconds + 60, self._lose
        )
        due_in: float | None = _AFTER_TROUBLE_SECONDS
        try:
            bot = await self._host.bot(bot_id)
            if bot is None:
                due_in = None
            else:
                outbox = Outbox(bot.id, bot.customer_id, token)
                sender = _Sender(self._api, self._limiter, outbox, bot, self._host, lease)
                due_in = await self._work(bot, outbox, sender)
        finally:
            # A renewal that comes after the release would be told "lost".
            self._renewer.drop(lease)
            if not self._lost:
                successor = await self._host.mailboxes.send_release(bot_id, token, ticket, bell, due_in)
                self._tickets.send_soon(successor)

    def _lose(self) -> None:
        self._lost = True

    async def _work(self, bot: ServedBot, outbox: Outbox, sender: "_Sender") -> float | None:
        """Claim, send, record, until the time is over; seconds until the next row is due."""
        adopted = await self._in_thread(outbox.adopt)
        if adopted:
            log.warning("sends_uncertain", bot=bot.id, count=adopted)
            metrics.UNCERTAIN.inc(adopted, bot=bot.id)
        until = time.monotonic() + self._host.settings.slice_seconds
        try:
            while True:
                going_on = not self._lost and time.monotonic() < until
                room = _WINDOW - len(self._flying) if going_on else 0
                if room or self._ended:
                    await self._turn_over(outbox, sender, room)
                if not self._flying and not self._ended:
                    break
                if self._flying:
                    await self._gather()
        except BaseException:
            await self._land(outbox)
            raise
        return await self._in_thread(outbox.next_due) if going_on else 0.0

    async def _turn_over(self, outbox: Outbox, sender: "_Sender", room: int) -> None:
        """Record what has ended, claim what comes next, and let it fly."""
        ended = self._ended
        rows = await self._in_thread(partial(outbox.record_and_claim, ended, room))
        # Kept until the record stands: without it, what was sent would be sent again.
        self._ended = self._ended[len(ended) :]
        try:
            ready = await sender.prepare(rows, self._ended)
        except BaseException:
            # Claimed and not called: given back as they were, for nothing about them is uncertain.
            self._ended += [Result(row.id, row.attempt, "queued") for row in rows]
            raise
        self._flying |= {asyncio.create_task(sender.send(one)) for one in ready}

    async def _land(self, outbox: Outbox) -> None:
        """Trouble, or shutdown: wait for the calls under way and record what became of them, if that can be done."""
        if self._flying:
            done, _ = await asyncio.wait(self._flying)
            self._ended += [task.result() for task in done if not task.cancelled() and task.exception() is None]
        for wait in _RECORD_AGAIN_SECONDS:
            try:
                await self._in_thread(partial(outbox.record_and_claim, self._ended, 0))
            except DATABASE_TROUBLE as error:
                log.warning("sends_not_recorded", count=len(self._ended), error=type(error).__name__)
                await asyncio.sleep(wait)
            else:
                return

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._host.database, work)

    async def _gather(self) -> None:
        """Wait for calls to end; a moment longer than for the first, so that several are recorded at once."""
        await asyncio.wait(self._flying, return_when=asyncio.FIRST_COMPLETED)
        done, self._flying = await asyncio.wait(self._flying, timeout=_GATHER_SECONDS)
        self._ended += [task.result() for task in done]


@dataclass(frozen=True, slots=True)
class _Ready:
    """A row that may be sent at its permit's moment."""

    row: Row
    params: dict[str, Any]
    permit: Permit


class _Sender:
    """What one slice needs to turn claimed rows into results."""

    def __init__(
        self, api: ApiClient, limiter: Limiter, outbox: Outbox, bot: ServedBot, host: Host, lease: Lease
    ) -> None:
        self._api = api
        self._limiter = limiter
        self._outbox = outbox
        self._bot = bot
        self._host = host
        self._lease = lease
        self._token = open_sealed(bot.token_encrypted)
        self._audience = audience_of(host.settings)

    async def prepare(self, rows: list[Row], results: list[Result]) -> list[_Ready]:
        """The rows that may be sent in a moment, with their final parameters; the others get a result."""
        real = await self._real_ids(rows)
        ready = []
        for row in rows:
            params = with_real_ids(row.params, real)
            if self._audience.holds_back(row.method, row.params, row.chat):
                log.warning("send_held_back", bot=self._bot.id, row=row.id, method=row.method, chat=row.chat)
                metrics.HELD_BACK.inc(bot=self._bot.id)
                results.append(Result(row.id, row.attempt, "dropped", error=HELD_BACK))
            elif row.late:
                results.append(Result(row.id, row.attempt, "expired", error="its last useful moment has passed"))
            elif params is None:
                results.append(Result(row.id, row.attempt, "dead", error="the message it refers to was never sent"))
            else:
                ready.append((row, params))
        return await self._permitted(ready, results)

    async def _real_ids(self, rows: list[Row]) -> dict[tuple[int, int], int | None]:
        wanted: dict[int, list[tuple[int, int]]] = {}
        for row in rows:
            for number in provisional_ids(row.params):
                if row.telegram_id is not None:
                    wanted.setdefault(row.telegram_id, []).append(of_provisional_id(number))
        found: dict[tuple[int, int], int | None] = {}
        loop = asyncio.get_running_loop()
        for telegram_id, numbers in wanted.items():
            ask = partial(self._outbox.real_ids, telegram_id, numbers)
            found |= await loop.run_in_executor(self._host.database, ask)
        return found

    async def _permitted(self, ready: list[tuple[Row, dict[str, Any]]], results: list[Result]) -> list[_Ready]:
        wanted = [
            self._limiter.permission(row.method, row.chat, row.lane, paid=params.get("allow_paid_broadcast") is True)
            for row, params in ready
        ]
        going = []
        for (row, params), permit in zip(ready, await self._limiter.reserve(self._bot.id, wanted), strict=True):
            if permit.granted:
                going.append(_Ready(row, params, permit))
            else:
                results.append(Result(row.id, row.attempt, "queued", due_in=permit.wait))
        return going

    async def send(self, ready: _Ready) -> Result:
        """Make the call; or give the row back if the lease may have passed while this process stood still."""
        row = ready.row
        try:
            await self._limiter.come(self._bot.id, ready.permit)
        except RedisError as error:
            log.warning("permit_not_used", bot=self._bot.id, row=row.id, error=type(error).__name__)
            return Result(row.id, row.attempt, "queued")
        if time.monotonic() > self._lease.renewed_at + self._host.settings.lease_seconds:
            return Result(row.id, row.attempt, "queued")
        result = await self._api.send(row, ready.params, self._bot.api_url, self._token)
        if result.verdict == "sent":
            self._count(row)
        else:
            log.warning(
                "send_failed", bot=self._bot.id, row=row.id, method=row.method, verdict=result.verdict,
                error=result.error, retry_in=result.due_in,
            )  # fmt: skip
            if result.uncertain:
                metrics.UNCERTAIN.inc(bot=self._bot.id)
            if result.flood_seconds:
                await self._close_chat(row, result.flood_seconds)
        return result

    async def _close_chat(self, row: Row, seconds: float) -> None:
        try:
            if await self._limiter.close(self._bot.id, row.chat, seconds):
                log.warning("bot_closed", bot=self._bot.id, seconds=seconds)
        except RedisError as error:
            # The row itself waits for the deadline; the chat's other rows stand behind it in their lane.
            log.warning("chat_not_closed", bot=self._bot.id, chat=row.chat, error=type(error).__name__)

    def _count(self, row: Row) -> None:
        metrics.SENT.inc(bot=self._bot.id, lane=row.lane.name.lower())
        if row.caused_at is not None:
            metrics.RESPONSE_SECONDS.observe((datetime.now(UTC) - row.caused_at).total_seconds(), bot=self._bot.id)
