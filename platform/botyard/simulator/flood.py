"""Flood limits: how much a bot may send before it is told to wait (Bot FAQ, "My bot is hitting limits")."""

import math
from collections import deque

from botyard.simulator.errors import too_many_requests
from botyard.simulator.model import Chat
from botyard.simulator.world import World

PRIVATE_LIMIT = (20, 10.0)
"""Sends per seconds into one private chat: one a second on average, with generous bursts."""
GROUP_LIMIT = (20, 60.0)
"""Sends per seconds into one group."""
BOT_LIMIT = (60, 1.0)
"""Sends per seconds of one bot into all chats."""

Limit = tuple[int, float]


class Flood:
    """Counts sends in sliding windows, while the bot's ``flood`` setting is on."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._sends: dict[tuple[int, int], deque[float]] = {}

    def count(self, bot_id: int, chat: Chat) -> None:
        """Count one send.

        Raises:
            ApiError: 429 with ``retry_after`` seconds; a refused send is not counted.
        """
        if not self._world.settings_of(bot_id).flood:
            return
        now = self._world.now()
        limit = PRIVATE_LIMIT if chat.bot_id else GROUP_LIMIT
        windows = (self._window((bot_id, chat.id), limit, now), self._window((bot_id, 0), BOT_LIMIT, now))
        for window in windows:
            window.append(now)

    def _window(self, key: tuple[int, int], limit: Limit, now: float) -> deque[float]:
        """Return the sends of the last seconds, refusing one more when they are full."""
        sends = self._sends.setdefault(key, deque())
        most, seconds = limit
        while sends and sends[0] <= now - seconds:
            sends.popleft()
        if len(sends) >= most:
            raise too_many_requests(max(1, math.ceil(sends[0] + seconds - now)))
        return sends
