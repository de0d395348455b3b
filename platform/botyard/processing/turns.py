"""Who has what only one may have at a time, within one slice. See docs/processing.md."""

import asyncio
from collections import deque
from collections.abc import Hashable


class Turns:
    """Something is had by one after the other, in the order in which they asked for it.

    What is free is had at once, without a turn of the event loop: nearly always it is, for every update asks.
    """

    def __init__(self) -> None:
        self._waiting: dict[Hashable, deque[asyncio.Future[None]]] = {}
        """Who waits for what somebody has."""

    async def take(self, what: Hashable, seconds: float) -> bool:
        """It is ours until it is given back; false when that took too long."""
        waiting = self._waiting.get(what)
        if waiting is None:
            self._waiting[what] = deque()
            return True
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting.append(turn)
        try:
            await asyncio.wait([turn], timeout=seconds)
        except BaseException:
            if turn.done():
                self.give(what)
            else:
                waiting.remove(turn)
            raise
        if not turn.done():
            waiting.remove(turn)
        return turn.done()

    def give(self, what: Hashable) -> None:
        """Give it to whoever waits longest."""
        waiting = self._waiting[what]
        if waiting:
            waiting.popleft().set_result(None)
        else:
            del self._waiting[what]
