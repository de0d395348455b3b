"""Which chats changed, in order, and the wait for the next change: one wait for a whole page."""

import asyncio
import secrets
from collections import OrderedDict

from botyard.simulator.model import Json

KEPT = 10_000
"""How many chats are remembered; a reader that is farther behind reads all of them again."""

Key = tuple[int, int]
"""Bot (0 for a group or channel) and chat."""


class Feed:
    """Every change gets a number; of each chat only the newest is remembered."""

    def __init__(self) -> None:
        # Numbers begin again with the process, so a reader needs to know whose they are.
        self.epoch = secrets.token_hex(4)
        self.place = 0
        self._changes: OrderedDict[Key, int] = OrderedDict()
        self._forgotten = 0
        self._waiters: list[asyncio.Future[None]] = []
        self.closed = False

    def changed(self, key: Key) -> None:
        """Take note that a chat looks different now."""
        self.place += 1
        self._changes[key] = self.place
        self._changes.move_to_end(key)
        if len(self._changes) > KEPT:
            self._forgotten = self._changes.popitem(last=False)[1]
        if self._waiters:
            self.wake()

    def wake(self) -> None:
        """End all waits."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    def close(self) -> None:
        """End all waits, and all that would follow."""
        self.closed = True
        self.wake()

    async def wait(self, seconds: float) -> None:
        """Wait for the next change, at most so many seconds."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout(seconds):
                await waiter
        except TimeoutError:
            # A change may have come in the very moment, and all waiters were let go.
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def since(self, after: int) -> list[Json] | None:
        """Return the chats that changed, the newest first.

        Args:
            after: the place the reader has.

        Returns:
            ``bot_id`` and ``chat_id`` of each, or nothing if the reader must read everything again.
        """
        if after < self._forgotten or after > self.place:
            return None
        found: list[Json] = []
        for (bot_id, chat_id), place in reversed(self._changes.items()):
            if place <= after:
                break
            found.append({"bot_id": bot_id, "chat_id": chat_id})
        return found
