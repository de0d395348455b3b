"""Scripts that are called in the same turn of an event loop go to Redis together, and come back together.

A script costs Redis a few microseconds and the client ten times as much, nearly all of it for the way there and back,
and half of what is left for a command and an answer of its own. So all calls of a script are one command.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from hashlib import sha1
from itertools import starmap
from typing import Any, Final

from redis import Redis as PlainRedis
from redis.asyncio import Redis
from redis.exceptions import NoScriptError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from botyard.mailbox.line import AWAY, Line

Call = Callable[..., "asyncio.Future[Any]"]

_UNDER_WAY: Final = 2
"""So many trips at once. What comes while one is under way gathers: it leaves when that is back, or when it is full."""
_PATIENCE_SECONDS: Final = 5.0
_MOST: Final = 12
"""Calls of one trip: while Redis runs these, the next ones are made ready; and a call may carry a megabyte."""

_UNTIL_HERE: Final = "-- Until here for all calls of a trip, from here for each.\n"
# Each call hears its own answer, an error too, as if it had come alone: what fails neither undoes nor hinders another.
_EACH = """{flags}
{shared}
local function call(ARGV)
{script}
end
local answers, count, place = {{}}, 0, {alike} + 1
while place <= #ARGV do
  local last = place + ARGV[place]
  local well, answer = pcall(call, {{unpack(ARGV, place + 1, last)}})
  if not well and type(answer) ~= 'table' then answer = {{err = 'ERR ' .. tostring(answer)}} end
  count, place = count + 1, last + 1
  answers[count] = answer or false
end
return answers
"""


_Alike = Callable[[], tuple[Any, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class _Script:
    source: str
    digest: str
    alike: _Alike


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
        self._patience: float = redis.connection_pool.connection_kwargs.get("socket_timeout") or _PATIENCE_SECONDS
        """Nobody waits longer for a trip than for its answer."""
        self._lines = [Line(redis, self._patience) for _ in range(_UNDER_WAY)]
        self._waiting: list[_Passenger] = []
        self._under_way: set[asyncio.Task[None]] = set()

    def script(self, source: str, alike: _Alike = tuple) -> Call:
        """A script, to be called with ``args``; what it returns, to be awaited.

        Args:
            source: its text; what stands before a mark runs once for all calls of a trip.
            alike: gives the arguments that all calls of a trip have in common; that part of the script finds them.

        Raises, when that is awaited:
            RedisError: the script's own, or Redis is away; then it is not known whether it ran.
        """
        script = _each(source, alike)

        def call(*, args: tuple[Any, ...]) -> "asyncio.Future[Any]":
            return self._board(script, args).answer

        return call

    def timed(self, source: str) -> Callable[..., Awaitable[Any]]:
        """The same; what is returned is when the call left, in monotonic seconds, and the script's answer."""
        script = _each(source)

        async def call(*, args: tuple[Any, ...]) -> Any:
            passenger = self._board(script, args)
            answer = await passenger.answer
            return passenger.left, answer

        return call

    def _board(self, script: _Script, args: tuple[Any, ...]) -> _Passenger:
        loop = asyncio.get_running_loop()
        passenger = _Passenger(script, args, loop.create_future(), time.monotonic())
        self._waiting.append(passenger)
        if not self._under_way and len(self._waiting) == 1:
            # At the end of this turn: whoever is called in it comes along.
            loop.call_soon(self._depart)
        elif len(self._waiting) == _MOST:
            self._depart()
        return passenger

    def _depart(self) -> None:
        if not self._lines or (self._under_way and len(self._waiting) < _MOST):
            return  # the next one that arrives departs with them
        now = time.monotonic()
        # Whoever gave up must not be done something for that nobody hears of.
        waiting = [one for one in self._waiting if not one.answer.done()]
        if waiting and now > waiting[0].since + self._patience:
            late = [one for one in waiting if now > one.since + self._patience]
            _tell(late, [RedisTimeoutError(AWAY)] * len(late))
            waiting = waiting[len(late) :]
        leaving, self._waiting = waiting[:_MOST], waiting[_MOST:]
        if not leaving:
            return
        for one in leaving:
            one.left = now
        line = self._lines.pop()
        trip = asyncio.get_running_loop().create_task(_travel(line, leaving))
        self._under_way.add(trip)
        trip.add_done_callback(partial(self._arrived, line))

    def _arrived(self, line: Line, trip: "asyncio.Task[None]") -> None:
        self._lines.append(line)
        self._under_way.discard(trip)
        self._depart()


async def _travel(line: Line, passengers: list[_Passenger]) -> None:
    groups: defaultdict[_Script, list[_Passenger]] = defaultdict(list)
    for one in passengers:
        groups[one.script].append(one)
    try:
        answers = await _ask(line, groups)
    except UnicodeError as error:
        # One of them cannot be told to Redis, and none was.
        if len(passengers) == 1:
            _tell(passengers, [error])
            return
        for one in passengers:
            await _travel(line, [one])
        return
    except BaseException as error:
        # Whoever waits is to hear of it, whatever it was; also when this loop ends.
        told = error if isinstance(error, Exception) else ConnectionError("cancelled")
        _tell(passengers, [told] * len(passengers))
        if not isinstance(error, Exception):
            raise
        return
    for group, answer in zip(groups.values(), answers, strict=True):
        _tell(group, [answer] * len(group) if isinstance(answer, Exception) else answer)


async def _ask(line: Line, groups: dict[_Script, list[_Passenger]]) -> list[Any]:
    answers = await line.exchange(starmap(_call, groups.items()))
    unknown = [script for script, answer in zip(groups, answers, strict=True) if isinstance(answer, NoScriptError)]
    if unknown:
        # Redis was started anew, or is asked for the first time: such a script did not run.
        again = iter(await _tell_and_ask(line, [(script, groups[script]) for script in unknown]))
        answers = [next(again) if isinstance(answer, NoScriptError) else answer for answer in answers]
    return answers


async def _tell_and_ask(line: Line, groups: list[tuple[_Script, list[_Passenger]]]) -> list[Any]:
    told = [("SCRIPT", "LOAD", script.source) for script, _ in groups]
    try:
        answers = await line.exchange([*told, *starmap(_call, groups)])
    except RedisError as error:
        # Those beside them have run.
        return [error] * len(groups)
    return answers[len(groups) :]


def by_itself(redis: "PlainRedis", source: str, alike: _Alike = tuple) -> Callable[..., Any]:
    """The same script for a plain thread, each call of which travels alone.

    Args:
        redis: its client.
        source: as for `Trips.script`.
        alike: as for `Trips.script`.
    """
    script = _each(source, alike)
    registered = redis.register_script(script.source)

    def call(*, args: tuple[Any, ...]) -> Any:
        (answer,) = registered(args=(*script.alike(), len(args), *args))
        if isinstance(answer, Exception):
            raise answer
        return answer

    return call


def _call(script: _Script, passengers: list[_Passenger]) -> tuple[Any, ...]:
    args: list[Any] = ["EVALSHA", script.digest, 0, *script.alike()]
    for one in passengers:
        args += (len(one.args), *one.args)
    return tuple(args)


def _each(source: str, alike: _Alike = tuple) -> _Script:
    flags, _, script = source.partition("\n") if source.startswith("#!") else ("#!lua", "", source)
    *shared, script = script.split(_UNTIL_HERE)
    text = _EACH.format(flags=flags, shared="".join(shared), script=script, alike=len(alike()))
    return _Script(text, sha1(text.encode(), usedforsecurity=False).hexdigest(), alike)


def _tell(passengers: list[_Passenger], answers: list[Any]) -> None:
    for one, answer in zip(passengers, answers, strict=True):
        if one.answer.done():
            continue  # nobody waits any more
        if isinstance(answer, Exception):
            one.answer.set_exception(answer)
        else:
            one.answer.set_result(answer)
