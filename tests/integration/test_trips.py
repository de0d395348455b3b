"""Scripts that are called together go to Redis together; each hears its own answer."""

import asyncio

import pytest
import redis
import redis.asyncio
from redis.asyncio.client import Pipeline
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import ResponseError

from botyard.mailbox.trips import Trips

ADD = "return redis.call('INCRBY', 'n', ARGV[1])"
FAIL = "return redis.error_reply('no ' .. ARGV[1])"


@pytest.fixture
def lengths(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many calls each trip had."""
    found: list[int] = []
    execute = Pipeline.execute

    async def counted(self: Pipeline, **options: bool) -> list[object]:
        found.append(len(self))
        return await execute(self, **options)

    monkeypatch.setattr(Pipeline, "execute", counted)
    return found


async def test_calls_of_one_turn_share_a_trip_and_keep_their_order(
    async_valkey: "redis.asyncio.Redis", lengths: list[int]
) -> None:
    add = Trips(async_valkey).script(ADD)
    await add(args=(0,))
    lengths.clear()
    assert await asyncio.gather(*(add(args=(1,)) for _ in range(10))) == list(range(1, 11))
    assert lengths == [10]


async def test_what_comes_while_trips_are_under_way_gathers_for_the_next_one(
    async_valkey: "redis.asyncio.Redis", lengths: list[int]
) -> None:
    add = Trips(async_valkey).script(ADD)
    await add(args=(0,))
    lengths.clear()

    async def later(turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        await add(args=(1,))

    await asyncio.gather(*(later(turns) for turns in range(20)))
    assert sum(lengths) == 20
    assert len(lengths) < 10


async def test_a_script_that_redis_does_not_know_is_told_to_it(
    async_valkey: "redis.asyncio.Redis", valkey: "redis.Redis"
) -> None:
    add = Trips(async_valkey).script(ADD)
    assert await add(args=(1,)) == 1
    valkey.script_flush()
    assert list(await asyncio.gather(add(args=(1,)), add(args=(1,)))) == [2, 3]


async def test_one_call_that_fails_fails_alone(async_valkey: "redis.asyncio.Redis") -> None:
    trips = Trips(async_valkey)
    add, fail = trips.script(ADD), trips.script(FAIL)
    first, second = (asyncio.ensure_future(add(args=(1,))) for _ in range(2))
    with pytest.raises(ResponseError, match="no way"):
        await fail(args=("way",))
    assert [await first, await second] == [1, 2]


async def test_who_no_longer_waits_disturbs_nobody(async_valkey: "redis.asyncio.Redis") -> None:
    add = Trips(async_valkey).script(ADD)
    calls = [asyncio.ensure_future(add(args=(1,))) for _ in range(3)]
    await asyncio.sleep(0)
    calls[1].cancel()
    found = await asyncio.gather(*calls, return_exceptions=True)
    assert (found[0], found[2]) == (1, 3)


async def test_without_redis_everybody_hears_so_and_the_next_trip_goes(unused_tcp_port: int) -> None:
    async with redis.asyncio.Redis(port=unused_tcp_port, socket_connect_timeout=1) as nobody:
        add = Trips(nobody).script(ADD)
        for _ in range(2):
            found = await asyncio.gather(*(add(args=(1,)) for _ in range(5)), return_exceptions=True)
            assert {type(one) for one in found} == {NoConnection}
