import asyncio

import pytest

from botyard.processing.batcher import Batcher
from botyard.processing.solitude import Solitude
from tests.factories import until


async def test_nobody_begins_while_somebody_is_alone() -> None:
    solitude = Solitude()
    async with solitude.alone("suspect", 1) as alone:
        assert alone
        assert solitude.wanted
        assert not solitude.enter("other")
    assert not solitude.wanted
    assert solitude.enter("other")


async def test_being_alone_waits_for_those_who_run() -> None:
    solitude, events = Solitude(), []

    async def suspect() -> None:
        async with solitude.alone("suspect", 5) as alone:
            events.append("alone" if alone else "not alone")

    assert solitude.enter("one")
    assert solitude.enter("two")
    task = asyncio.create_task(suspect())
    await until(lambda: solitude.wanted)
    solitude.leave("one")
    await asyncio.sleep(0.05)
    events.append("the others end")
    solitude.leave("two")
    await task
    assert events == ["the others end", "alone"]


async def test_who_waits_too_long_is_told_so_and_leaves_nothing_behind() -> None:
    solitude = Solitude()
    assert solitude.enter("one")
    async with solitude.alone("suspect", 0.03) as alone:
        assert not alone
    assert solitude.enter("two")
    solitude.leave("one")
    solitude.leave("two")
    async with solitude.alone("suspect", 0) as alone:
        assert alone


async def test_where_somebody_is_alone_or_waits_for_it_nobody_else_waits() -> None:
    solitude = Solitude()
    assert solitude.enter("one")
    async with solitude.alone("first", 0) as first, solitude.alone("second", 60) as second:
        assert (first, second) == (False, False)
        assert solitude.wanted
    assert not solitude.wanted


async def test_one_that_was_given_up_keeps_nobody_waiting_and_may_leave_again() -> None:
    solitude = Solitude()
    assert solitude.enter("blocked")
    solitude.leave("blocked")
    async with solitude.alone("suspect", 1) as alone:
        assert alone
        solitude.leave("blocked")
    assert solitude.enter("other")


async def test_a_cancelled_wait_for_solitude_leaves_nothing_behind() -> None:
    solitude = Solitude()
    assert solitude.enter("one")
    task = asyncio.create_task(solitude.alone("suspect", 5).__aenter__())
    await until(lambda: solitude.wanted)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert solitude.enter("two")


async def test_an_error_alone_leaves_nothing_behind() -> None:
    solitude = Solitude()
    with pytest.raises(ValueError, match="x"):
        async with solitude.alone("suspect", 1):
            raise ValueError("x")
    assert solitude.enter("other")


async def test_of_several_who_want_to_be_alone_one_is() -> None:
    solitude, told = Solitude(), []

    async def suspect(token: str) -> None:
        async with solitude.alone(token, 5) as alone:
            told.append(alone)
            await asyncio.sleep(0.01)

    await asyncio.gather(*map(suspect, "abcd"))
    assert sorted(told) == [False, False, False, True]
    assert not solitude.wanted


class Work:
    """Counts its batches; can be held up."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.free = asyncio.Event()
        self.free.set()

    async def __call__(self, items: list[int]) -> list[int]:
        self.batches.append(items)
        async with asyncio.timeout(5):
            await self.free.wait()
        if any(item < 0 for item in items):
            raise ValueError("a bad item")
        return [item * 10 for item in items]


async def test_what_comes_together_goes_together_and_each_gets_its_own_result() -> None:
    work = Work()
    batcher = Batcher(work, limit=100)
    assert await asyncio.gather(*map(batcher.submit, range(20))) == [item * 10 for item in range(20)]
    assert work.batches == [list(range(20))]


async def test_what_comes_during_a_batch_is_the_next_one_within_the_limit() -> None:
    work = Work()
    batcher = Batcher(work, limit=3)
    work.free.clear()
    first = asyncio.create_task(batcher.submit(0))
    await until(lambda: bool(work.batches))
    rest = [asyncio.create_task(batcher.submit(item)) for item in range(1, 6)]
    await asyncio.sleep(0)
    work.free.set()
    assert await asyncio.gather(first, *rest) == [0, 10, 20, 30, 40, 50]
    assert work.batches == [[0], [1, 2, 3], [4, 5]]


async def test_many_who_wait_go_beside_the_batch_under_way_and_few_wait_for_it() -> None:
    work = Work()
    batcher = Batcher(work, limit=10)
    work.free.clear()
    tasks: list[asyncio.Task[int]] = []

    async def come(*items: int) -> None:
        tasks.extend(asyncio.create_task(batcher.submit(item)) for item in items)
        for _ in range(5):
            await asyncio.sleep(0)

    await come(0)
    await come(1, 2, 3)
    assert work.batches == [[0]]
    await come(4)
    assert work.batches == [[0], [1, 2, 3, 4]]
    await come(5, 6, 7, 8)
    await come(9, 10, 11, 12)
    assert work.batches == [[0], [1, 2, 3, 4], [5, 6, 7, 8]], "and no more than three at once"
    work.free.set()
    assert await asyncio.gather(*tasks) == [10 * item for item in range(13)]
    assert work.batches[3:] == [[9, 10, 11, 12]]


async def test_an_error_reaches_everyone_of_its_batch_and_nobody_else() -> None:
    batcher = Batcher(Work(), limit=2)
    found = await asyncio.gather(*map(batcher.submit, (1, -1, 3)), return_exceptions=True)
    assert [type(one) for one in found] == [ValueError, ValueError, int]


async def test_who_stops_waiting_stops_nobody_else() -> None:
    work = Work()
    batcher = Batcher(work, limit=10)
    work.free.clear()
    tasks = [asyncio.create_task(batcher.submit(item)) for item in (1, 2)]
    await until(lambda: bool(work.batches))
    tasks[0].cancel()
    work.free.set()
    assert await tasks[1] == 20
    assert await batcher.submit(3) == 30
