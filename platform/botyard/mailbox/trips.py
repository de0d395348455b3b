"""Scripts that are called in the same turn of an event loop go to Redis together, and come back together.

A script costs Redis a few microseconds and the client ten times as much, nearly all of it for the way there and back.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha1
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

Call = Callable[..., Awaitable[Any]]

_UNDER_WAY: Final = 2
"""So many trips at once: what comes meanwhile gathers for the next one."""
_MOST: Final = 256
"""Calls of one trip."""


@dataclass(slots=True)
class _Passenger:
    source: str
    digest: str
    args: tuple[Any, ...]
    answer: "asyncio.Future[Any]"


class Trips:
    """Calls of scripts by one event loop.

    Args:
        redis: an asyncio client.
    """

    def __init__(self, redis: "Redis") -> None:
        self._redis = redis
        self._waiting: list[_Passenger] = []
        self._under_way: set[asyncio.Task[None]] = set()

    def script(self, source: str) -> Call:
        """A script, to be called with ``args``; what it returns.

        Raises, when it is called:
            RedisError: the script's own, or Redis is away; then it is not known whether it ran.
        """
        digest = sha1(source.encode(), usedforsecurity=False).hexdigest()

        async def call(*, args: tuple[Any, ...] | list[Any]) -> Any:
            loop = asyncio.get_running_loop()
            answer: asyncio.Future[Any] = loop.create_future()
            if not self._waiting and len(self._under_way) < _UNDER_WAY:
                # At the end of this turn: whoever is called in it comes along.
                loop.call_soon(self._depart)
            self._waiting.append(_Passenger(source, digest, tuple(args), answer))
            return await answer

        return call

    def _depart(self) -> None:
        if not self._waiting or len(self._under_way) >= _UNDER_WAY:
            return
        leaving, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
        trip = asyncio.get_running_loop().create_task(self._travel(leaving))
        self._under_way.add(trip)
        trip.add_done_callback(self._arrived)

    def _arrived(self, trip: "asyncio.Task[None]") -> None:
        self._under_way.discard(trip)
        self._depart()

    async def _travel(self, passengers: list[_Passenger]) -> None:
        try:
            answers = await self._ask(passengers)
        except BaseException as error:
            # Whoever waits is to hear of it, whatever it was; also when this loop ends.
            for one in passengers:
                if not one.answer.done():
                    one.answer.set_exception(error if isinstance(error, Exception) else ConnectionError("cancelled"))
            if not isinstance(error, Exception):
                raise
            return
        for one, answer in zip(passengers, answers, strict=True):
            if one.answer.done():
                continue  # nobody waits any more
            if isinstance(answer, Exception):
                one.answer.set_exception(answer)
            else:
                one.answer.set_result(answer)

    async def _ask(self, passengers: list[_Passenger]) -> list[Any]:
        answers = await self._evaluate(passengers)
        unknown = [place for place, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if unknown:
            # Redis was started anew, or is asked for the first time: such a script did not run.
            for source in {passengers[place].source for place in unknown}:
                await self._redis.script_load(source)
            again = await self._evaluate([passengers[place] for place in unknown])
            for place, answer in zip(unknown, again, strict=True):
                answers[place] = answer
        return answers

    async def _evaluate(self, passengers: list[_Passenger]) -> list[Any]:
        async with self._redis.pipeline(transaction=False) as pipe:
            for one in passengers:
                pipe.evalsha(one.digest, 0, *one.args)
            answers: list[Any] = await pipe.execute(raise_on_error=False)
        return answers
