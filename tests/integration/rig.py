"""One worker without Celery: tickets are kept in a list and worked on in this loop."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

from redis import Redis

from botyard.bots.registry import ServedBot
from botyard.delivery.calls import ApiClient
from botyard.delivery.outbox import bots_with_due_rows
from botyard.delivery.slice import SendingSlice
from botyard.hosting import Host
from botyard.limiter import Limiter
from botyard.mailbox.inbound import Mailboxes
from botyard.mailbox.keeping import Keeper
from botyard.mailbox.leases import Renewer
from botyard.mailbox.protocol import DELIVER, Ticket, fresh_id, times_of
from botyard.manager import BotManager
from botyard.processing.slice import Slice, Tools
from botyard.settings import Settings
from botyard.sync import get_sync
from botyard.telegram.keys import chat_key
from tests.factories import FakeTickets, entry
from tests.integration import kinds
from tests.integration.asked import statements
from tests.services import Services

PACE = {
    "backoff_seconds": 0.02,
    "share": 2,
    "handler_timeout_seconds": 0.3,
    "api_timeout_seconds": 0.3,
    "limit_private_burst": 1000,  # the limiter has tests of its own
}


class Rig:
    """Everything that a worker process has, and the test's hand on it."""

    def __init__(self, services: Services, settings: Settings, database: ThreadPoolExecutor) -> None:
        self.services, self.settings = services, settings
        self.redis = Redis.from_url(services.redis_url)
        self.tickets = FakeTickets()
        self.manager = BotManager(get_sync(), self.redis)
        self.host = Host(settings, statements(), database, self.manager)
        self.boxes: Mailboxes = self.host.mailboxes
        self.keeper = Keeper(self.redis, times_of(settings))
        self.tools = Tools(self.keeper, Renewer(settings.lease_seconds / 3), self.tickets)
        self.api = ApiClient(self.host.request, settings.backoff_seconds)
        self.limiter: Any = Limiter(self.host.redis, settings)

    async def give(self, bot: ServedBot, *updates: dict[str, Any]) -> None:
        """Take updates in, as the webhook does."""
        for update in updates:
            accepted = await self.boxes.accept(bot.telegram_id, chat_key(update), update["update_id"], entry(update))
            assert accepted.verdict == "accepted"
            self.tickets.send_soon(accepted.ticket)

    async def work(self, ticket: Ticket) -> None:
        """What the task of this ticket does."""
        if ticket.task == DELIVER:
            renewer = self.tools.renewer
            sending = SendingSlice(self.host, self.api, self.limiter, self.keeper, renewer, self.tickets)
            await sending.run(ticket.bot, ticket.id, ticket.stamp)
        else:
            await Slice(self.host, self.tools, ticket.bot, ticket.id, ticket.queue).run(ticket.stamp)

    async def settle(self, *, sending: bool = True, sweeping: bool = True, seconds: float = 15) -> None:
        """Work on tickets, and sweep for new ones, until nothing is left to do."""
        deadline = time.monotonic() + seconds
        while True:
            kept = [ticket for ticket in self.tickets.sent if not sending and ticket.task == DELIVER]
            ready = [ticket for ticket in self.tickets.sent if ticket not in kept]
            self.tickets.sent[:] = kept
            await asyncio.gather(*map(self.work, ready))
            if not ready:
                await asyncio.sleep(0.003)  # a turn for whoever else works in this loop
                self.tickets.sent += self.keeper.sweep() if sweeping else []
            if not ready and not self._open(sending=sending):
                return
            assert time.monotonic() < deadline, "work is left"

    def _open(self, *, sending: bool) -> bool:
        if self.redis.zcard("by:bots"):
            return True
        rows = self.services.superuser("SELECT count(*) FROM outbox WHERE state IN ('queued', 'retry', 'sending')")
        return sending and bool(rows[0][0])

    async def deliver(self, bot: ServedBot) -> None:
        """One slice of a bot's sender, also when rows were put there behind its back."""
        self.keeper.wake(bot.id)
        await self.work(Ticket(DELIVER, bot.id, fresh_id(), int(time.time() * 1000), "outbound"))

    async def deliver_until(self, bot: ServedBot, condition: Callable[[], bool], seconds: float = 10) -> None:
        """Slice after slice until the condition holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            await self.deliver(bot)
            assert time.monotonic() < deadline, bots_with_due_rows()
            await asyncio.sleep(0.005)

    async def close(self) -> None:
        self.tools.renewer.stop()
        self.tools.watch.stop()
        await self.host.close()
        self.redis.close()


@asynccontextmanager
async def rig(services: Services, settings: Settings, **changes: Any) -> AsyncIterator[Rig]:
    kinds.STARTS.clear()
    kinds.LET_GO.clear()
    with ThreadPoolExecutor(4) as database:
        made = Rig(services, settings.model_copy(update=PACE | changes), database)
        try:
            yield made
        finally:
            await made.close()
