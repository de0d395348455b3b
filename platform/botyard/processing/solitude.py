"""Who may run beside whom in one process.

An update whose earlier start never came back may have killed its process. It is run again alone, so that it takes no
innocent one down with it.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

_LOOK_SECONDS: Final = 0.02


class Solitude:
    """Counts what runs in this process, over all of its threads and loops."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = 0
        self._wanted = 0

    @property
    def wanted(self) -> bool:
        """Somebody is, or waits to be, alone: begin nothing."""
        return self._wanted > 0

    @contextmanager
    def among_others(self) -> Iterator[bool]:
        """Run beside others; false, and nothing is entered, while somebody wants to be alone."""
        with self._lock:
            entered = not self._wanted
            self._running += entered
        try:
            yield entered
        finally:
            with self._lock:
                self._running -= entered

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Wait until nothing else runs in this process, and keep it so."""
        with self._lock:
            self._wanted += 1
        try:
            # A look every 20 ms and not a blocking wait: it is rare, and a cancelled wait must leave nothing behind.
            while not self._begin():  # noqa: ASYNC110 - what is waited for ends in other threads
                await asyncio.sleep(_LOOK_SECONDS)
            try:
                yield
            finally:
                with self._lock:
                    self._running -= 1
        finally:
            with self._lock:
                self._wanted -= 1

    def _begin(self) -> bool:
        with self._lock:
            if self._running:
                return False
            self._running = 1
            return True
