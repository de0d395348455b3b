"""Bots that a Bot API has not heard of lately are introduced to it a few at a time. See docs/bots.md.

A server that does not know a token yet loads it, and refuses who brings too many of them. So the first contacts of all
processes share one budget for each host; who was answered within the last hour needs none of it.
"""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Final
from urllib.parse import urlsplit

from redis.asyncio import Redis

from botyard.bots.connection.asking import Unreachable
from botyard.errors import InputError
from botyard.mailbox.protocol import fresh_id
from botyard.mailbox.server import async_redis
from botyard.settings import Settings

KNOWN_FOR: Final = timedelta(hours=1)
PATIENCE_SECONDS: Final = 5.0
"""How long somebody who waits for the answer is kept waiting for a permit."""


def is_known(contacted_at: datetime | None) -> bool:
    """Whether Telegram has answered for a bot so lately that it still knows it."""
    return contacted_at is not None and datetime.now(UTC) - contacted_at < KNOWN_FOR


class FirstContacts:
    """The budget of first contacts.

    Args:
        redis: an asyncio client.
        settings: the limits.
    """

    def __init__(self, redis: "Redis", settings: Settings) -> None:
        self._settings = settings
        script = (files("botyard.bots.connection") / "first_contact.lua").read_text(encoding="utf-8")
        self._permit = redis.register_script(script)

    async def permit(self, api_url: str) -> float:
        """Take one of the budget.

        Returns:
            0.0: go on; else the seconds after which there may be one.
        """
        try:
            host = urlsplit(api_url).hostname or api_url
        except ValueError:
            raise InputError("API_URL", "is not an address.", "Write it as https://api.telegram.org.") from None
        limits = self._settings.first_contacts_of(host)
        if limits is None:
            return 0.0
        return int(await self._permit(args=(f"by:first:{host}", *limits, fresh_id()))) / 1000

    async def wait(self, api_url: str) -> None:
        """Take one, and wait a moment for it if need be.

        Raises:
            Unreachable: there is none in the next seconds; it says when.
        """
        until = time.monotonic() + PATIENCE_SECONDS
        while wait := await self.permit(api_url):
            if time.monotonic() + wait > until:
                words = (
                    f"Too many bots were asked about for the first time; try again in {wait:.0f} s (FIRST_CONTACTS)."
                )
                raise Unreachable(words, wait)
            await asyncio.sleep(wait)


async def introduce(api_url: str, contacted_at: datetime | None, settings: Settings) -> None:
    """Wait a moment for a permit to ask about a bot, unless Telegram knows it: before the first call for it.

    Args:
        api_url: the Bot API that is to be asked.
        contacted_at: when it last answered for the bot.
        settings: the limits, and where the budget stands.

    Raises:
        Unreachable: there is none in the next seconds; it says when.
    """
    if is_known(contacted_at):
        return
    async with async_redis(settings.require("redis_url"), 5) as redis:
        await FirstContacts(redis, settings).wait(api_url)
