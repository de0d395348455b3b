"""The Redis server that keeps the mailboxes: reaching it, and whether it may. See docs/mailbox.md."""

from collections.abc import Mapping
from typing import Any, Final

import structlog
from redis import Redis
from redis.asyncio import BlockingConnectionPool, ConnectionPool
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.maint_notifications import MaintNotificationsConfig

from botyard.errors import InputError
from botyard.settings import Settings

log = structlog.get_logger(__name__)

_OLDEST: Final = (7, 0)
_SECONDS: Final = 2.0
_QUIET_SECONDS: Final = 25
"""A connection that was not used for so long is tried first."""
_CLOSED: Final = "The connection to Redis is closed."


def redis_of(settings: Settings) -> "Redis":
    """A client for a command, which must not wait for ever for a server that hangs. Close it.

    Raises:
        InputError: no address is set.
    """
    return Redis.from_url(settings.require("redis_url"), socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS)


class _Connection:
    """In front of one of redis-py's: uvloop has an error of its own for a connection that the other side has reset."""

    async def send_packed_command(self, *args: Any, **kwargs: Any) -> None:
        try:
            await super().send_packed_command(*args, **kwargs)  # type: ignore[misc]
        except RuntimeError as error:
            raise RedisConnectionError(_CLOSED) from error


def async_redis(url: str, seconds: float, connections: int | None = None) -> "AsyncRedis":
    """A client for an event loop, which raises nothing but Redis' errors when Redis is away. Close it.

    Args:
        url: of the server.
        seconds: the longest wait for it.
        connections: no more than these; who finds none free waits as long.
    """
    # A pool that listens for a server's notices of its maintenance does not look whether a connection has ended.
    unannounced = MaintNotificationsConfig(enabled=False)
    waits: dict[str, Any] = {
        "socket_timeout": seconds, "socket_connect_timeout": seconds, "maint_notifications_config": unannounced,
    }  # fmt: skip
    pool: ConnectionPool
    if connections is None:
        pool = ConnectionPool.from_url(url, health_check_interval=_QUIET_SECONDS, **waits)
    else:
        pool = BlockingConnectionPool.from_url(url, max_connections=connections, timeout=seconds, **waits)
    pool.connection_class = type("Connection", (_Connection, pool.connection_class), {})
    return AsyncRedis.from_pool(pool)


def check_server(info: Mapping[str, Any]) -> None:
    """Refuse a server that would lose mailboxes or cannot run their scripts.

    Args:
        info: the server's answer to ``INFO``.

    Raises:
        InputError: it is older than Redis 7.0, or evicts keys when it is full.
    """
    version = str(info.get("redis_version", ""))
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers < _OLDEST:
        raise InputError(
            "REDIS_URL", f"is a Redis {version or 'of unknown version'}.", "Use Redis 7.0 or newer, or Valkey."
        )
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        raise InputError(
            "REDIS_URL",
            f"evicts keys when it is full (maxmemory-policy {policy}): accepted updates would vanish.",
            "Set maxmemory-policy noeviction.",
        )
    if str(info.get("aof_enabled", "1")) != "1":
        log.warning("redis_without_append_only_file", meaning="a restart of Redis loses the updates waiting in it")
