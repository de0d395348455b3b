"""Who may run beside whom in one process.

An update whose earlier start never came back may have killed its process. It is run again alone, so that it takes no
innocent one down with it.
"""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

_LOOK_SECONDS: Final = 0.02


class Solitude:
    """Knows what runs in this process, over all of its threads and loops; each run goes by its owner token."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[str] = set()
        self._wanted = 0

    @property
    def wanted(self) -> bool:
        """Somebody is, or waits to be, alone: begin nothing."""
        return self._wanted > 0

    def enter(self, token: str) -> bool:
        """Begin beside others; false, and nothing is entered, while somebody wants to be alone."""
        with self._lock:
            if self._wanted:
                return False
            self._running.add(token)
            return True

    def leave(self, token: str) -> None:
        """End what was begun; or give up on it: what has lost its lease may block its thread for ever."""
        with self._lock:
            self._running.discard(token)

    @asynccontextmanager
    async def alone(self, token: str, patience: float) -> AsyncIterator[bool]:
        """Wait until nothing else runs in this process, and keep it so; false when that took too long.

        False at once where somebody else waits or is alone: whoever waited here, with a start that is counted already,
        would die with it.


        Args:
            token: of the run.
            patience: seconds.
        """
        with self._lock:
            others = self._wanted > 0
            self._wanted += not others
        if others:
            yield False
            return
        until = time.monotonic() + patience
        try:
            # A look every 20 ms and not a blocking wait: it is rare, and a cancelled wait must leave nothing behind.
            while not (begun := self._begin(token)) and time.monotonic() < until:  # noqa: ASYNC110 - other threads end it
                await asyncio.sleep(_LOOK_SECONDS)
            yield begun
        finally:
            with self._lock:
                self._wanted -= 1
                self._running.discard(token)

    def _begin(self, token: str) -> bool:
        with self._lock:
            if self._running:
                return False
            self._running.add(token)
            return True
