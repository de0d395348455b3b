"""Long polling into the same mailboxes, for bots that no webhook can reach. See docs/bots.md.

Source: https://core.telegram.org/bots/api#getupdates
"""

import asyncio
import contextlib
import random
import signal
from typing import Any, Final

import orjson
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError
from telegram.error import RetryAfter, TelegramError

from botyard.bots.registry import PolledBot, polled_bots
from botyard.delivery.calls import wait_of
from botyard.mailbox.inbound import Mailboxes
from botyard.mailbox.protocol import fresh_id, mailbox_entry, times_of
from botyard.mailbox.tickets import CeleryTickets, celery_producer
from botyard.settings import Settings, get_settings
from botyard.telegram.address import method_url
from botyard.telegram.keys import chat_key
from botyard.telegram.request import AiohttpRequest, JsonBody
from botyard.telegram.tokens import open_sealed
from botyard.telemetry.logs import configure_logs
from botyard.telemetry.reports import configure_reports

log = structlog.get_logger(__name__)

_LOOK_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 25
_LEASE_MS: Final = 60_000
_LONGEST_WAIT: Final = 60.0


class Poller:
    """Polls every bot whose intake is polling; a lease keeps two pollers off one bot.

    Args:
        settings: of this process.
    """

    def __init__(self, settings: Settings) -> None:
        url = settings.require("redis_url")
        self._redis = Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5)
        self._mailboxes = Mailboxes(self._redis, times_of(settings))
        self._tickets = CeleryTickets(celery_producer())
        self._request = AiohttpRequest(_POLL_SECONDS + 10, connections=0)
        self._owner = fresh_id()
        self._polls: dict[PolledBot, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Look for bots to poll, until SIGTERM or SIGINT."""
        stopped = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        while not stopped.is_set():
            try:
                await self._look()
            except (RedisError, SQLAlchemyError) as error:
                log.warning("poller_waits", error=type(error).__name__)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), _LOOK_SECONDS)
        await self._let_go()

    async def _look(self) -> None:
        wanted = set(await asyncio.to_thread(polled_bots))
        # A bot with another token or address is another bot to poll.
        for bot, poll in list(self._polls.items()):
            if bot not in wanted or poll.done():
                poll.cancel()
                del self._polls[bot]
        for bot in wanted:
            if bot not in self._polls and await self._hold(bot.telegram_id):
                self._polls[bot] = asyncio.create_task(self._poll(bot))

    async def _let_go(self) -> None:
        """Leave every bot to the next poller at once."""
        for bot, poll in self._polls.items():
            poll.cancel()
            await self._redis.delete(f"by:poll:{bot.telegram_id}")

    async def _hold(self, telegram_id: int) -> bool:
        key = f"by:poll:{telegram_id}"
        if await self._redis.set(key, self._owner, nx=True, px=_LEASE_MS):
            return True
        if (await self._redis.get(key)) != self._owner.encode():
            return False
        return bool(await self._redis.pexpire(key, _LEASE_MS))

    async def _poll(self, bot: PolledBot) -> None:
        url = method_url(bot.api_url, open_sealed(bot.token_encrypted), "getUpdates")
        offset, failures = 0, 0
        while await self._hold(bot.telegram_id):
            try:
                offset = await self._fetch(bot, url, offset)
                failures = 0
            except (TelegramError, RedisError) as error:
                failures += 1
                wait = min(2.0**failures, _LONGEST_WAIT) * random.uniform(0.5, 1)  # noqa: S311 - jitter
                if isinstance(error, RetryAfter):
                    wait = max(wait, wait_of(error))
                log.warning("poll_failed", telegram_id=bot.telegram_id, error=str(error), retry_in=round(wait, 1))
                await asyncio.sleep(wait)

    async def _fetch(self, bot: PolledBot, url: str, offset: int) -> int:
        """One getUpdates; the offset moves on only behind what the mailboxes have."""
        body = orjson.dumps({"offset": offset, "timeout": _POLL_SECONDS, "limit": 100})
        updates: Any = await self._request.post(url, JsonBody(body))  # type: ignore[arg-type]
        for update in updates:
            entry = mailbox_entry(orjson.dumps(update))
            accepted = await self._mailboxes.accept(bot.telegram_id, chat_key(update), update["update_id"], entry)
            if accepted.verdict == "full":
                await asyncio.sleep(1)
                break
            self._tickets.send_soon(accepted.ticket)
            offset = update["update_id"] + 1
        return offset


async def run() -> None:
    """The poller process."""
    settings = get_settings()
    configure_logs(settings, "poller")
    if settings.sentry_dsn is not None:
        configure_reports(settings, "poller")
    await Poller(settings).run()
