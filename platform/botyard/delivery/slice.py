"""One ticket's worth of sending: a short time slice of one bot's outbox. See docs/delivery.md."""

import asyncio
import time
from typing import Final

import structlog

from botyard.bots import activity
from botyard.bots.registry import ServedBot
from botyard.delivery.calls import ApiClient
from botyard.delivery.outbox import Outbox, Result
from botyard.delivery.sender import Sender
from botyard.hosting import Host
from botyard.limiter import Limiter
from botyard.mailbox.keeping import Keeper
from botyard.mailbox.leases import Renewer
from botyard.mailbox.owners import owner_token
from botyard.mailbox.tickets import TicketQueue
from botyard.telegram.request import UPLOAD_SECONDS
from botyard.telemetry import metrics
from db.engine import DATABASE_TROUBLE

log = structlog.get_logger(__name__)

_WINDOW: Final = 50
_GATHER_SECONDS: Final = 0.01
_ENOUGH: Final = 8
"""So many ends are recorded while the other calls go on: nobody waits for the database with nothing to do."""
_LOOK_SECONDS: Final = 0.1
_LAST_SECONDS: Final = 0.5
_AFTER_TROUBLE_SECONDS: Final = 1.0
_RECORD_AGAIN_SECONDS: Final = (0.1, 0.5, 1.0, 2.0)


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
        self._landed: list[asyncio.Task[Result]] = []
        self._awaited = 1
        self._enough = asyncio.Event()
        self._ended: list[Result] = []

    async def run(self, bot_id: int, ticket: str, stamp: int | None) -> None:
        """Work the slice; ``stamp`` is when the ticket was born, in milliseconds of Redis' clock."""
        token = owner_token()
        bell = await self._host.mailboxes.send_take(bot_id, ticket, token, stamp)
        if bell is None:
            return
        lease = self._renewer.keep(
            lambda: self._keeper.send_renew(bot_id, token, ticket), self._host.settings.slice_seconds + 60, self._lose
        )
        due_in: float | None = _AFTER_TROUBLE_SECONDS
        try:
            bot = await self._host.bot(bot_id)
            if bot is None or bot.status in ("error", "inactive"):
                due_in = None
            else:
                outbox = Outbox(self._host.statements, bot.id, bot.customer_id, token)
                sender = Sender(self._api, self._limiter, outbox, bot, self._host, lease)
                try:
                    due_in = await self._work(outbox, sender)
                finally:
                    _tell(bot, outbox.adopted)
        finally:
            # A renewal that comes after the release would be told "lost".
            self._renewer.drop(lease)
            if not self._lost:
                successor = await self._host.mailboxes.send_release(bot_id, token, ticket, bell, due_in)
                self._tickets.send_soon(successor)

    def _lose(self) -> None:
        self._lost = True

    async def _work(self, outbox: Outbox, sender: Sender) -> float | None:
        """Claim, send, record, until the time is over; seconds until the next row is due."""
        until = time.monotonic() + self._host.settings.slice_seconds
        try:
            while True:
                # While a file is under way this ticket cannot end anyway: what else is due goes on beside it. And while
                # sends of paced lanes wait for their moments, others need not wait for the next ticket.
                over = time.monotonic() - until
                going_on = not self._lost and over < (UPLOAD_SECONDS if sender.uploading else 0)
                claiming = going_on or (not self._lost and over < _LAST_SECONDS)
                room = _WINDOW - len(self._flying) if claiming else 0
                if room or self._ended:
                    await self._turn_over(outbox, sender, room, sender.paced_room if going_on else 0)
                if not self._flying and not self._landed and not self._ended:
                    break
                await self._gather(_LOOK_SECONDS if claiming else None)
        except BaseException:
            await self._land(outbox)
            raise
        return await self._next_due(outbox, sender) if going_on else 0.0

    async def _next_due(self, outbox: Outbox, sender: Sender) -> float | None:
        closed = sender.rate_closed
        if not closed:
            return await outbox.next_due()
        others = await outbox.next_due(paced=False)
        return closed if others is None else min(others, closed)

    async def _turn_over(self, outbox: Outbox, sender: Sender, room: int, paced: int) -> None:
        """Record what has ended, claim what comes next, and let it fly."""
        ended = self._ended
        rows = await outbox.record_and_claim(ended, room, paced)
        # Kept until the record stands: without it, what was sent would be sent again.
        self._ended = self._ended[len(ended) :]
        try:
            ready = await sender.prepare(rows, self._ended)
        except BaseException:
            # Claimed and not called: given back as they were, for nothing about them is uncertain.
            self._ended += [Result(row.id, row.attempt, "queued") for row in rows]
            raise
        for one in ready:
            call = asyncio.create_task(sender.send(one))
            call.add_done_callback(self._land_one)
            self._flying.add(call)

    async def _land(self, outbox: Outbox) -> None:
        """Trouble, or shutdown: wait for the calls under way and record what became of them, if that can be done."""
        if self._flying:
            await asyncio.wait(self._flying)
        self._ended += [call.result() for call in self._landed if not call.cancelled() and call.exception() is None]
        self._landed.clear()
        for wait in _RECORD_AGAIN_SECONDS if self._ended else ():
            try:
                await outbox.record_and_claim(self._ended, 0)
            except DATABASE_TROUBLE as error:
                log.warning("sends_not_recorded", count=len(self._ended), error=type(error).__name__)
                await asyncio.sleep(wait)
            else:
                return

    def _land_one(self, call: "asyncio.Task[Result]") -> None:
        self._flying.discard(call)
        self._landed.append(call)
        if len(self._landed) >= self._awaited or not self._flying:
            self._enough.set()

    async def _gather(self, longest: float | None) -> None:
        """Wait for a call to end, at most so long; then a moment for others, so that several are recorded at once."""
        await self._until(1, longest)
        await self._until(_ENOUGH, _GATHER_SECONDS)
        ended = [call.result() for call in self._landed]
        self._landed.clear()
        self._ended += ended

    async def _until(self, count: int, longest: float | None) -> None:
        """Wait until so many calls have ended or none is under way, at most so long."""
        self._awaited = count
        if len(self._landed) >= count or not self._flying:
            return
        self._enough.clear()
        timer = None if longest is None else asyncio.get_running_loop().call_later(longest, self._enough.set)
        try:
            await self._enough.wait()
        finally:
            if timer is not None:
                timer.cancel()


def _tell(bot: ServedBot, adopted: int | None) -> None:
    """What a lost holder was sending was perhaps sent."""
    if adopted:
        log.warning("sends_uncertain", bot=bot.id, count=adopted)
        metrics.UNCERTAIN.inc(adopted, bot=bot.id)
        activity.note(bot, "uncertain", adopted)
