"""The Redis server that keeps the mailboxes: reaching it, and whether it may. See docs/mailbox.md."""

from collections.abc import Mapping
from typing import Any, Final

import structlog
from redis import Redis

from botyard.errors import InputError
from botyard.settings import Settings

log = structlog.get_logger(__name__)

_OLDEST: Final = (7, 0)
_SECONDS: Final = 2.0


def redis_of(settings: Settings) -> "Redis":
    """A client for a command, which must not wait for ever for a server that hangs. Close it.

    Raises:
        InputError: no address is set.
    """
    return Redis.from_url(settings.require("redis_url"), socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS)


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
