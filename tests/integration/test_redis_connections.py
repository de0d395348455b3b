"""Connections to Redis that end without a word, as an event loop sees them."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop
from redis.exceptions import ConnectionError as RedisConnectionError

from botyard.mailbox.server import async_redis
from tests.services import Services

_LOOPS = pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])


@_LOOPS
@pytest.mark.parametrize("connections", [None, 2])
def test_a_connection_that_was_reset_raises_an_error_of_redis_and_the_next_is_a_new_one(
    run: Callable[[Coroutine[Any, Any, None]], None], connections: int | None, clean: Services
) -> None:
    async def attempt() -> None:
        async with async_redis(clean.redis_url, 2, connections) as redis:
            await redis.ping()
            pool: Any = redis.connection_pool
            connection = await pool.get_connection()
            connection._writer.transport.abort()  # as a reset by the other side does
            with pytest.raises(RedisConnectionError):
                await connection.send_command("PING")
            await pool.release(connection)
            assert await redis.ping()

    run(attempt())
