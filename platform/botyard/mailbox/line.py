"""A connection to Redis that one party keeps, and what is said on it. See docs/mailbox.md."""

import asyncio
from collections.abc import Iterable
from functools import partial
from typing import Any, Final

import hiredis
from redis.asyncio import Redis
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

AWAY: Final = "Redis is away"


class Line:
    """Commands, and their answers, one exchange after the other.

    The connection is one of the pool's, and stays here: to ask for it each time, a time limit for each command and a
    pipeline around them cost a client more than the way to Redis and back. It is opened when it is first needed, and
    again after it broke; it ends with its pool.

    Args:
        redis: whose pool it is.
        patience: seconds; the longest that an exchange takes.
    """

    def __init__(self, redis: "Redis", patience: float) -> None:
        self._pool: Any = redis.connection_pool
        self._patience = patience
        self._connection: Any = None

    async def exchange(self, commands: Iterable[tuple[Any, ...]]) -> list[Any]:
        """The answers, in order; where Redis refused a command, its error.

        Raises:
            RedisError: Redis is away; then it is not known what it has done.
            UnicodeError: a command cannot be told to it; none was.
        """
        packed = [hiredis.pack_command(command) for command in commands]
        try:
            async with asyncio.timeout(self._patience):
                connection = self._connection or await self._open()
                if connection.is_connected and await connection.can_read():
                    # It ended while nothing was said; it is opened again with what is said next.
                    await connection.disconnect()
                # As often as a client of this pool would try.
                answers: list[Any] = await connection.retry.call_with_retry(
                    partial(_converse, connection, packed), lambda _: connection.disconnect()
                )
        except TimeoutError:
            raise RedisTimeoutError(AWAY) from None
        return answers

    async def _open(self) -> Any:
        self._connection = await self._pool.get_connection()
        # Ours is for the whole exchange.
        self._connection.socket_timeout = None
        return self._connection


async def _converse(connection: Any, packed: list[bytes]) -> list[Any]:
    await connection.send_packed_command(packed)
    answers: list[Any] = []
    for _ in packed:
        try:
            answers.append(await connection.read_response())
        except ResponseError as error:
            answers.append(error)
    return answers
