"""Scripts that are called together go to Redis together; each hears its own answer."""

import asyncio
import itertools
import random
import time
from typing import Any

import pytest
import redis
import redis.asyncio
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as NoAnswer

from botyard.mailbox import scripts, trips
from botyard.mailbox.server import async_redis
from botyard.mailbox.trips import Trips
from tests.services import Services

ADD = "return redis.call('INCRBY', 'n', ARGV[1])"
FAIL = "return redis.error_reply('no ' .. ARGV[1])"
SAY = """
if ARGV[1] == 'nothing' then return nil end
if ARGV[1] == 'false' then return false end
if ARGV[1] == 'refused' then return redis.error_reply('REFUSED it') end
if ARGV[1] == 'broken' then error('broken ' .. nowhere) end
if ARGV[1] == 'wrong' then return redis.call('LPOP', 'n') end
return {1, 'two', {redis.call('INCRBY', 'n', 1), false}}
"""


class Counted:
    """Commands that Redis has run."""

    def __init__(self, valkey: "redis.Redis") -> None:
        self._valkey = valkey
        self._before = self._total()

    def _total(self) -> int:
        stats: Any = self._valkey.info("commandstats")
        return int(stats.get("cmdstat_evalsha", {}).get("calls", 0))

    def since(self) -> int:
        """Scripts called since this was made."""
        return self._total() - self._before


async def test_calls_of_one_turn_are_one_command_and_keep_their_order(
    async_valkey: "redis.asyncio.Redis", valkey: "redis.Redis"
) -> None:
    add = Trips(async_valkey).script(ADD)
    await add(args=(0,))
    counted = Counted(valkey)
    assert await asyncio.gather(*(add(args=(1,)) for _ in range(10))) == list(range(1, 11))
    assert counted.since() == 1


async def test_what_comes_while_trips_are_under_way_gathers_for_the_next_one(
    async_valkey: "redis.asyncio.Redis", valkey: "redis.Redis"
) -> None:
    add = Trips(async_valkey).script(ADD)
    await add(args=(0,))
    counted = Counted(valkey)

    async def later(turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        await add(args=(1,))

    await asyncio.gather(*(later(turns) for turns in range(20)))
    assert counted.since() < 10
    assert await add(args=(0,)) == 20


async def test_more_calls_than_fit_into_a_trip_go_in_several(
    async_valkey: "redis.asyncio.Redis", valkey: "redis.Redis"
) -> None:
    add = Trips(async_valkey).script(ADD)
    await add(args=(0,))
    counted = Counted(valkey)
    assert sorted(await asyncio.gather(*(add(args=(1,)) for _ in range(200)))) == list(range(1, 201))
    assert 17 <= counted.since() <= 20


async def test_what_fits_into_no_full_trip_takes_the_next_one_and_does_not_wait_for_its_end(
    async_valkey: "redis.asyncio.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Trips(async_valkey)
    add, under_way = made.script(ADD), []
    travel = trips._travel

    async def noted(*args: Any) -> None:
        under_way.append(len(made._under_way))
        await travel(*args)

    monkeypatch.setattr(trips, "_travel", noted)
    await asyncio.gather(*(add(args=(1,)) for _ in range(2 * trips._MOST)))
    assert under_way == [2, 2], "both were on their way before the first one was back"


async def test_what_does_not_fill_a_trip_waits_for_the_one_that_is_under_way(
    async_valkey: "redis.asyncio.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    add, departed, back = Trips(async_valkey).script(ADD), [], asyncio.Event()
    travel = trips._travel

    async def slow(line: Any, passengers: list[Any]) -> None:
        departed.append(len(passengers))
        await back.wait()
        await travel(line, passengers)

    monkeypatch.setattr(trips, "_travel", slow)
    calls = []
    for together in (1, 2, 3):
        calls += [add(args=(1,)) for _ in range(together)]
        await asyncio.sleep(0.01)
    assert departed == [1]
    back.set()
    assert await asyncio.gather(*calls) == [1, 2, 3, 4, 5, 6]
    assert departed == [1, 5]


async def test_what_all_calls_of_a_trip_have_in_common_is_told_once(
    async_valkey: "redis.asyncio.Redis", valkey: "redis.Redis"
) -> None:
    asked = itertools.count(1)
    source = f"local trip, calls = ARGV[1], 0\n{trips._UNTIL_HERE}calls = calls + 1\nreturn {{trip, calls, ARGV[1]}}"

    def alike() -> tuple[str]:
        return (f"trip {next(asked)}",)

    add = Trips(async_valkey).script(source, alike)
    first = await asyncio.gather(add(args=("a",)), add(args=("b",)))
    second = await add(args=("c",))
    assert [one[1:] for one in (*first, second)] == [[1, b"a"], [2, b"b"], [1, b"c"]]
    assert first[0][0] == first[1][0] != second[0]
    assert trips.by_itself(valkey, source, alike)(args=("d",))[1:] == [1, "d"]
    with pytest.raises(ResponseError, match="no way"):
        trips.by_itself(valkey, FAIL)(args=("way",))


async def test_a_script_that_redis_does_not_know_is_told_to_it(
    async_valkey: "redis.asyncio.Redis", valkey: "redis.Redis"
) -> None:
    trips = Trips(async_valkey)
    add, say = trips.script(ADD), trips.script(SAY)
    assert await add(args=(1,)) == 1
    valkey.script_flush()
    assert list(await asyncio.gather(add(args=(1,)), add(args=(1,)))) == [2, 3]
    # Now one of the two is known, and runs before the other is told.
    said, added = await asyncio.gather(say(args=("all",)), add(args=(1,)))
    assert (said, added) == ([1, b"two", [5, None]], 4)


async def test_one_call_that_fails_fails_alone(async_valkey: "redis.asyncio.Redis") -> None:
    trips = Trips(async_valkey)
    add, fail = trips.script(ADD), trips.script(FAIL)
    first, second = (add(args=(1,)) for _ in range(2))
    with pytest.raises(ResponseError, match="no way"):
        await fail(args=("way",))
    assert [await first, await second] == [1, 2]


@pytest.mark.parametrize(("word", "error"), [("refused", "REFUSED it"), ("broken", "nowhere"), ("wrong", "WRONGTYPE")])
async def test_one_call_of_several_to_a_script_fails_alone_too(
    async_valkey: "redis.asyncio.Redis", word: str, error: str
) -> None:
    say = Trips(async_valkey).script(SAY)
    await say(args=("all",))
    before, after = (say(args=("all", "and", b"more")) for _ in range(2))
    failing = say(args=(word,))
    last = say(args=("all",))
    with pytest.raises(ResponseError, match=error):
        await failing
    assert [(await one)[2][0] for one in (before, after, last)] == [2, 3, 4]


async def test_no_answer_is_an_answer(async_valkey: "redis.asyncio.Redis") -> None:
    say = Trips(async_valkey).script(SAY)
    words = ("nothing", "all", "false", "nothing")
    assert await asyncio.gather(*(say(args=(word,)) for word in words)) == [None, [1, b"two", [1, None]], None, None]


async def test_who_no_longer_waits_disturbs_nobody(async_valkey: "redis.asyncio.Redis") -> None:
    add = Trips(async_valkey).script(ADD)
    calls = [add(args=(1,)) for _ in range(3)]
    calls[1].cancel()
    found = await asyncio.gather(*calls, return_exceptions=True)
    assert (found[0], found[2]) == (1, 2)


async def test_without_redis_everybody_hears_so_and_the_next_trip_goes(unused_tcp_port: int) -> None:
    # As the product has it: a client of redis-py's own making would try again, after pauses left to chance.
    async with async_redis(f"redis://127.0.0.1:{unused_tcp_port}", 1) as nobody:
        add = Trips(nobody).script(ADD)
        for _ in range(2):
            found = await asyncio.gather(*(add(args=(1,)) for _ in range(5)), return_exceptions=True)
            assert {type(one) for one in found} == {NoConnection}


async def test_nothing_is_done_for_who_gave_up_before_it_left(async_valkey: "redis.asyncio.Redis") -> None:
    add = Trips(async_valkey).script(ADD)
    # Behind trips that are under way.
    trips = [add(args=(0,)) for _ in range(2)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    add(args=(1000,)).cancel()
    await asyncio.gather(*trips)
    assert await add(args=(0,)) < 1000


async def test_what_redis_cannot_be_told_fails_alone(async_valkey: "redis.asyncio.Redis") -> None:
    add = Trips(async_valkey).script(ADD)
    first, second = (add(args=(1,)) for _ in range(2))
    with pytest.raises(UnicodeEncodeError):
        await add(args=("\ud800",))
    assert [await first, await second] == [1, 2]


async def test_nobody_waits_longer_for_a_trip_than_for_its_answer(clean: Services, valkey: "redis.Redis") -> None:
    async with redis.asyncio.Redis.from_url(clean.redis_url, socket_timeout=0.4) as client:
        add = Trips(client).script(ADD)
        await add(args=(0,))
        valkey.client_pause(1500)
        begun = time.monotonic()
        found = await asyncio.gather(*(add(args=(1,)) for _ in range(500)), return_exceptions=True)
        assert {type(one) for one in found} == {NoAnswer}
        assert time.monotonic() - begun < 1.4


async def test_a_connection_that_redis_has_ended_is_made_anew(
    async_valkey: "redis.asyncio.Redis", valkey: "redis.Redis"
) -> None:
    add = Trips(async_valkey).script(ADD)
    assert await add(args=(1,)) == 1
    valkey.client_kill_filter(_type="normal", skipme=True)
    await asyncio.sleep(0.05)  # the end of the connection is heard
    assert await add(args=(1,)) == 2


async def test_trips_keep_their_connections(async_valkey: "redis.asyncio.Redis", valkey: "redis.Redis") -> None:
    add = Trips(async_valkey).script(ADD)
    await add(args=(1,))
    before = int(valkey.info("stats")["total_connections_received"])
    for _ in range(20):
        await asyncio.gather(*(add(args=(1,)) for _ in range(3)))
    assert int(valkey.info("stats")["total_connections_received"]) <= before + 1, "two trips under way have two"


async def test_many_who_come_and_go_are_all_answered(async_valkey: "redis.asyncio.Redis") -> None:
    add = Trips(async_valkey).script(ADD)
    dice = random.Random(7)

    async def coming_and_going() -> None:
        for _ in range(60):
            await add(args=(1,))
            for _ in range(dice.randrange(4)):
                await asyncio.sleep(0)

    async with asyncio.timeout(20):
        await asyncio.gather(*(coming_and_going() for _ in range(20)))
    assert await add(args=(0,)) == 1200


def test_what_all_calls_of_a_script_need_is_made_once_for_a_trip() -> None:
    text = trips._each(scripts.source("take")).source
    assert (
        text.index("local function index(bot)")
        < text.index("local function call(ARGV)")
        < text.index("LINDEX', 'by:box")
    )
