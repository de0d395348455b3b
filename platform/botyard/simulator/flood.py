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
PAID_LIMIT = (1_000, 1.0)
"""The same for sends with ``allow_paid_broadcast`` (Bot FAQ, "Paid Broadcasts"), which are counted apart."""

FREE, PAID = 0, -1
"""Stand for all chats together where otherwise a chat's id stands; no chat has these."""

Limit = tuple[int, float]


class Flood:
    """Counts sends in sliding windows, while the bot's ``flood`` setting is on."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._sends: dict[tuple[int, int], deque[float]] = {}

    def count(self, bot_id: int, chat: Chat, *, messages: int = 1, paid: bool = False) -> None:
        """Count one call that sends.

        Args:
            bot_id: who sends.
            chat: where to. A limit of one chat holds up no other.
            messages: how many at once, as in an album.
            paid: whether the bot pays for more than the usual speed; a chat takes no more for that.

        Raises:
            ApiError: 429 with ``retry_after`` seconds; a refused send is not counted.
        """
        if not self._world.settings_of(bot_id).flood:
            return
        now = self._world.now()
        limit = PRIVATE_LIMIT if chat.bot_id else GROUP_LIMIT
        of_all = ((bot_id, PAID), PAID_LIMIT) if paid else ((bot_id, FREE), BOT_LIMIT)
        windows = (self._window((bot_id, chat.id), limit, now, messages), self._window(*of_all, now, messages))
        for window in windows:
            window.extend([now] * messages)

    def turn_back(self, seconds: float) -> None:
        """Take note that the clock went back by so many seconds: sends are no farther back than they were."""
        self._sends = {key: deque(moment - seconds for moment in sends) for key, sends in self._sends.items()}

    def _window(self, key: tuple[int, int], limit: Limit, now: float, messages: int) -> deque[float]:
        """Return the sends of the last seconds, refusing more than fit beside them."""
        sends = self._sends.setdefault(key, deque())
        most, seconds = limit
        while sends and sends[0] <= now - seconds:
            sends.popleft()
        # More at once than the limit allows passes alone, or it would never pass.
        over = len(sends) + min(messages, most) - most
        if over > 0:
            raise too_many_requests(max(1, math.ceil(sends[over - 1] + seconds - now)))
        return sends
