"""Event loops for a synchronous Celery: one thread with a loop per process, or a loop per slot of a threads pool."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import uvloop

T = TypeVar("T")
_CLEANUP_SECONDS = 2.0


class LoopThread:
    """A thread with an event loop. Start it after a fork, never before."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="loop", daemon=True)
        self._thread.start()

    def run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine there and wait for it.

        Whatever interrupts the wait (a time limit, a shutdown) cancels the coroutine and leaves it a moment to give
        back what it holds.
        """
        ended = threading.Event()
        begun: list[asyncio.Task[T]] = []

        async def watched() -> T:
            task = asyncio.current_task()
            assert task is not None  # noqa: S101 - we are in it
            begun.append(task)
            try:
                return await work()
            finally:
                ended.set()

        future = asyncio.run_coroutine_threadsafe(watched(), self.loop)
        try:
            return future.result()
        except BaseException:
            if not future.done():
                self.loop.call_soon_threadsafe(lambda: [task.cancel() for task in begun])
                ended.wait(_CLEANUP_SECONDS)
            raise

    def call_soon(self, work: Callable[[], None]) -> None:
        """Run something short there, and do not wait for it."""
        self.loop.call_soon_threadsafe(work)

    def stop(self) -> None:
        """End the loop."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(timeout=_CLEANUP_SECONDS)


class SlotLoops:
    """A loop per thread: a handler that blocks stops its own slot only."""

    def __init__(self) -> None:
        self._local = threading.local()

    def run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine on this thread's loop."""
        loop = getattr(self._local, "loop", None)
        if loop is None:
            loop = self._local.loop = uvloop.new_event_loop()
        return loop.run_until_complete(work())
