"""Calls that go to Telegram while a handler waits for the answer: within the same limits as the outbox."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeVar

from telegram.error import RetryAfter

from botyard.limiter import Limiter
from botyard.telegram.request import wait_of
from botyard.telegram.run import Lane

LONGEST_WAIT_SECONDS: Final = 30.0
"""A handler waits no longer for a permit; it is told then as Telegram would tell it."""
_T = TypeVar("_T")


class DirectCalls:
    """Paces one bot's calls, and closes what Telegram refuses.

    Args:
        limiter: shared by all processes.
        bot: the bot's row.
    """

    def __init__(self, limiter: Limiter, bot: int) -> None:
        self._limiter = limiter
        self._bot = bot

    async def make(self, method: str, params: Mapping[str, Any], call: Callable[[], Awaitable[_T]]) -> _T:
        """Make a call when it may be made.

        Raises:
            RetryAfter: Telegram refused it (429), or it would have to wait longer than a handler may.
        """
        chat = params.get("chat_id")
        if chat is None or method.startswith("get"):
            return await call()
        await self._wait(method, str(chat), len(params.get("message_ids") or (1,)))
        try:
            return await call()
        except RetryAfter as error:
            await self._limiter.close(self._bot, str(chat), wait_of(error))
            raise

    async def _wait(self, method: str, chat: str, messages: int) -> None:
        one = self._limiter.permission(method, chat, Lane.REPLY)
        wanted = [replace(one, weight=one.weight * messages)]
        until = asyncio.get_running_loop().time() + LONGEST_WAIT_SECONDS
        while True:
            (permit,) = await self._limiter.reserve(self._bot, wanted)
            if permit.granted:
                return await self._limiter.come(self._bot, permit)
            if asyncio.get_running_loop().time() + permit.wait > until:
                raise RetryAfter(int(permit.wait) + 1)
            await asyncio.sleep(permit.wait)
