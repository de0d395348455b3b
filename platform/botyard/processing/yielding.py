"""A slice that other bots wait behind takes nothing more. See docs/processing.md."""

import time
from typing import Any, Final

from redis.asyncio import Redis

from botyard.mailbox.native import body_of

SHORT_SECONDS: Final = 0.03
"""So long a slice goes on whoever waits: a ticket costs some milliseconds, whatever it is used for."""
_LOOKED_AT: Final = 4
"""Tickets at the head of a queue. A bot that may have more than one out is not one of the others."""


class Yielding:
    """Looks, once in a while, whether a slice is to make way.

    On RabbitMQ nobody can look what waits: there slices end as the settings say, and not before.

    Args:
        redis: where the queues are.
        queue: the one that its ticket came through.
        telegram_id: the bot's.
    """

    def __init__(self, redis: "Redis", queue: str, telegram_id: int) -> None:
        self._redis, self._queue = redis, queue
        self._own = body_of(telegram_id)
        self._look_at = time.monotonic() + SHORT_SECONDS

    async def is_due(self) -> bool:
        """Whether another bot's ticket waits; looked at once in a while.

        Raises:
            RedisError: Redis cannot be reached.
        """
        now = time.monotonic()
        if now < self._look_at:
            return False
        self._look_at = now + SHORT_SECONDS
        waiting: Any = await self._redis.lrange(self._queue, -_LOOKED_AT, -1)
        return any(self._own not in ticket for ticket in waiting)
