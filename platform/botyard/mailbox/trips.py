"""Scripts that are called in the same turn of an event loop go to Redis together, and come back together.

A script costs Redis a few microseconds and the client ten times as much, nearly all of it for the way there and back,
and half of what is left for a command and an answer of its own. So all calls of a script are one command.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from hashlib import sha1
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import NoScriptError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

Call = Callable[..., Awaitable[Any]]

_UNDER_WAY: Final = 2
"""So many trips at once: what comes meanwhile gathers for the next one."""
_PATIENCE_SECONDS: Final = 5.0
_MOST: Final = 64
"""Calls of one trip: others wait for Redis as long as they take, and a call may carry a megabyte."""

# Each call hears its own answer, an error too, as if it had come alone: what fails neither undoes nor hinders another.
_EACH = """{flags}
local function call(ARGV)
{script}
end
local answers, count, place = {{}}, 0, 1
while place <= #ARGV do
  local last = place + ARGV[place]
  local well, answer = pcall(call, {{unpack(ARGV, place + 1, last)}})
  if not well and type(answer) ~= 'table' then answer = {{err = 'ERR ' .. tostring(answer)}} end
  count, place = count + 1, last + 1
  answers[count] = answer or false
end
return answers
"""


@dataclass(frozen=True, slots=True, eq=False)
class _Script:
    source: str
    digest: str


@dataclass(slots=True)
class _Passenger:
    script: _Script
    args: tuple[Any, ...]
    answer: "asyncio.Future[Any]"
    since: float
    left: float = 0.0


class Trips:
    """Calls of scripts by one event loop.

    Args:
        redis: an asyncio client.
    """

    def __init__(self, redis: "Redis") -> None:
        self._redis = redis
        self._patience: float = redis.connection_pool.connection_kwargs.get("socket_timeout") or _PATIENCE_SECONDS
        """Nobody waits longer for a trip than for its answer."""
        self._waiting: list[_Passenger] = []
        self._under_way: set[asyncio.Task[None]] = set()

    def script(self, source: str) -> Call:
        """A script, to be called with ``args``; what it returns.

        Raises, when it is called:
            RedisError: the script's own, or Redis is away; then it is not known whether it ran.
        """
        timed = self.timed(source)

        async def call(*, args: tuple[Any, ...]) -> Any:
            _, answer = await timed(args=args)
            return answer

        return call

    def timed(self, source: str) -> Call:
        """The same; what is returned is when the call left, in monotonic seconds, and the script's answer."""
        script = _each(source)

        async def call(*, args: tuple[Any, ...]) -> Any:
            loop = asyncio.get_running_loop()
            passenger = _Passenger(script, args, loop.create_future(), time.monotonic())
            if not self._waiting and len(self._under_way) < _UNDER_WAY:
                # At the end of this turn: whoever is called in it comes along.
                loop.call_soon(self._depart)
            self._waiting.append(passenger)
            answer = await passenger.answer
            return passenger.left, answer

        return call

    def _depart(self) -> None:
        now = time.monotonic()
        # Whoever gave up must not be done something for that nobody hears of.
        waiting = [one for one in self._waiting if not one.answer.done()]
        late = [one for one in waiting if now > one.since + self._patience]
        _tell(late, [RedisTimeoutError("Redis is away")] * len(late))
        waiting = waiting[len(late) :]
        leaving, self._waiting = waiting[:_MOST], waiting[_MOST:]
        if not leaving:
            return
        for one in leaving:
            one.left = now
        trip = asyncio.get_running_loop().create_task(self._travel(leaving))
        self._under_way.add(trip)
        trip.add_done_callback(self._arrived)

    def _arrived(self, trip: "asyncio.Task[None]") -> None:
        self._under_way.discard(trip)
        self._depart()

    async def _travel(self, passengers: list[_Passenger]) -> None:
        groups: defaultdict[_Script, list[_Passenger]] = defaultdict(list)
        for one in passengers:
            groups[one.script].append(one)
        try:
            answers = await self._ask(groups)
        except UnicodeError as error:
            # One of them cannot be told to Redis, and none was.
            if len(passengers) == 1:
                _tell(passengers, [error])
                return
            for one in passengers:
                await self._travel([one])
            return
        except BaseException as error:
            # Whoever waits is to hear of it, whatever it was; also when this loop ends.
            _tell(
                passengers, [error if isinstance(error, Exception) else ConnectionError("cancelled")] * len(passengers)
            )
            if not isinstance(error, Exception):
                raise
            return
        for group, answer in zip(groups.values(), answers, strict=True):
            _tell(group, [answer] * len(group) if isinstance(answer, Exception) else answer)

    async def _ask(self, groups: dict[_Script, list[_Passenger]]) -> list[Any]:
        answers = await self._evaluate(groups.items())
        unknown = [script for script, answer in zip(groups, answers, strict=True) if isinstance(answer, NoScriptError)]
        if unknown:
            # Redis was started anew, or is asked for the first time: such a script did not run.
            again = iter(await self._told(groups, unknown))
            answers = [next(again) if isinstance(answer, NoScriptError) else answer for answer in answers]
        return answers

    async def _told(self, groups: dict[_Script, list[_Passenger]], scripts: list[_Script]) -> list[Any]:
        try:
            for script in scripts:
                await self._redis.script_load(script.source)
            return await self._evaluate((script, groups[script]) for script in scripts)
        except RedisError as error:
            # Those beside them have run.
            return [error] * len(scripts)

    async def _evaluate(self, groups: Iterable[tuple[_Script, list[_Passenger]]]) -> list[Any]:
        async with self._redis.pipeline(transaction=False) as pipe:
            for script, passengers in groups:
                args: list[Any] = []
                for one in passengers:
                    args += (len(one.args), *one.args)
                pipe.evalsha(script.digest, 0, *args)
            answers: list[Any] = await pipe.execute(raise_on_error=False)
        return answers


def _each(source: str) -> _Script:
    flags, _, script = source.partition("\n") if source.startswith("#!") else ("#!lua", "", source)
    text = _EACH.format(flags=flags, script=script)
    return _Script(text, sha1(text.encode(), usedforsecurity=False).hexdigest())


def _tell(passengers: list[_Passenger], answers: list[Any]) -> None:
    for one, answer in zip(passengers, answers, strict=True):
        if one.answer.done():
            continue  # nobody waits any more
        if isinstance(answer, Exception):
            one.answer.set_exception(answer)
        else:
            one.answer.set_result(answer)
