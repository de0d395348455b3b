"""Connections to Redis that end without a word, as an event loop sees them."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop
from redis import Redis
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


@_LOOPS
@pytest.mark.parametrize("connections", [None, 2])
def test_a_connection_that_ended_while_nobody_used_it_is_opened_again_unnoticed(
    run: Callable[[Coroutine[Any, Any, None]], None], connections: int | None, clean: Services, raw_valkey: "Redis"
) -> None:
    async def attempt() -> None:
        async with async_redis(clean.redis_url, 2, connections) as redis:
            await redis.ping()
            raw_valkey.client_kill_filter(_type="normal", skipme=True)
            await asyncio.sleep(0.05)  # the end comes by a turn of the loop
            assert await redis.set("by:any", 1)

    run(attempt())
