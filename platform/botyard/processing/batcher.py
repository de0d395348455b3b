"""Several coroutines that need the database share one statement.

While a statement is under way the next batch gathers; nobody waits for a batch to fill. Where enough have gathered that
a statement of their own costs little for each of them, they go beside it: a core that waits for PostgreSQL is idle.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

_SIDE_BY_SIDE: Final = 3
_WORTH_IT: Final = 4

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Item, Result]):
    """Collects items of one event loop and works on them a batch at a time.

    Args:
        work: gets the items of a batch, returns a result for each, in the same order.
        limit: items of a batch at most.
    """

    def __init__(self, work: Callable[[list[Item]], Awaitable[list[Result]]], limit: int) -> None:
        self._work = work
        self._limit = limit
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._drains: list[asyncio.Task[None]] = []

    async def submit(self, item: Item) -> Result:
        """The result for this item; raises what ``work`` raised for its whole batch."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._waiting.append((item, future))
        self._drains = [drain for drain in self._drains if not drain.done()]
        if not self._drains or (len(self._drains) < _SIDE_BY_SIDE and len(self._waiting) >= _WORTH_IT):
            self._drains.append(loop.create_task(self._run()))
        return await future

    async def _run(self) -> None:
        # One turn of the loop, so that whatever becomes ready together goes together.
        await asyncio.sleep(0)
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(self._limit, len(self._waiting)))]
            try:
                results = await self._work([item for item, _ in batch])
            except Exception as error:  # noqa: BLE001 - handed on to everyone who waits for this batch
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, future), result in zip(batch, results, strict=True):
                if not future.done():
                    future.set_result(result)
