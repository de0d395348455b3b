"""getUpdates: updates fetched by the bot itself, with a long poll."""

import asyncio

from botyard.simulator.errors import bad_request, conflict
from botyard.simulator.methods import Call
from botyard.simulator.methods.webhooks import allowed_updates
from botyard.simulator.model import Bot
from botyard.simulator.updates import drop_expired

MOST_UPDATES = 100
LONGEST_POLL = 50
"""Seconds; Telegram shortens longer polls."""


class Polling:
    """The pollers that wait at the moment, one per bot at most."""

    def __init__(self) -> None:
        self._waiting: dict[int, asyncio.Future[str]] = {}

    def wake(self, bot: Bot, reason: str = "") -> None:
        """End a bot's poll.

        Args:
            bot: whose poll.
            reason: why it is refused with 409; empty when there is something to fetch.
        """
        waiter = self._waiting.pop(bot.id, None)
        if waiter and not waiter.done():
            waiter.set_result(reason)

    def count(self) -> int:
        """Return how many polls wait."""
        return len(self._waiting)

    def wake_all(self) -> None:
        """End all polls: they answer with what there is."""
        for waiter in self._waiting.values():
            if not waiter.done():
                waiter.set_result("")
        self._waiting.clear()

    async def get_updates(self, call: Call) -> list[bytes]:
        """Return the waiting updates as finished JSON; a higher ``offset`` confirms those below it."""
        bot, params = call.bot, call.params
        if bot.webhook:
            raise conflict(
                "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
            )
        limit = params.integer("limit", MOST_UPDATES)
        timeout = params.integer("timeout", 0)
        if timeout < 0:
            raise bad_request("timeout must be non-negative")
        bot.allowed_updates = allowed_updates(params, bot.allowed_updates)
        self.wake(bot, "terminated by other getUpdates request; make sure that only one bot instance is running")
        _confirm(call, params.integer("offset", 0))
        drop_expired(call.world, bot)
        if not bot.pending and timeout:
            await self._wait(bot, min(timeout, LONGEST_POLL))
        most = min(max(limit, 1), MOST_UPDATES)
        return [update.body for _, update in zip(range(most), bot.pending.values(), strict=False)]

    async def _wait(self, bot: Bot, seconds: float) -> None:
        waiter: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting[bot.id] = waiter
        try:
            async with asyncio.timeout(seconds):
                reason = await waiter
        except TimeoutError:
            return
        finally:
            # A newer poller may have taken the place already.
            if self._waiting.get(bot.id) is waiter:
                del self._waiting[bot.id]
        if reason:
            raise conflict(reason)


def _confirm(call: Call, offset: int) -> None:
    """Forget updates below an offset; a negative one keeps so many of the newest."""
    pending = call.bot.pending
    if offset < 0:
        keep = set(list(pending)[offset:])
        done = [update_id for update_id in pending if update_id not in keep]
    else:
        done = [update_id for update_id in pending if update_id < offset]
    for update_id in done:
        del pending[update_id]
    if done:
        call.world.revision += 1
