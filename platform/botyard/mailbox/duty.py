"""Which process does what one of all is enough for: the sweeps of the clocks. See docs/mailbox.md.

Nothing relies on there being one. Two do the same twice, which changes nothing; and where none is, because one has just
died, another begins within two seconds.
"""

import time
from typing import Final

from redis import Redis
from redis.exceptions import RedisError

_KEY: Final = "by:duty"
_LASTS_SECONDS: Final = 1.0
_ASK_SECONDS: Final = 0.3
_REST_SECONDS: Final = 1.0
"""Whoever failed lets others try first."""


class Duty:
    """This process' part of it.

    Args:
        redis: a client that does not decode responses.
        name: of this process, unlike any other's.
    """

    def __init__(self, redis: "Redis", name: str) -> None:
        self._redis = redis
        self._name = name.encode()
        self._asks_at = 0.0
        self._ours = False

    def ours(self) -> bool:
        """Whether it is this process that is on duty; without Redis nobody is."""
        now = time.monotonic()
        if now >= self._asks_at:
            self._asks_at = now + _ASK_SECONDS
            try:
                self._ours = self._ask()
            except RedisError:
                self._ours = False
        return self._ours

    def _ask(self) -> bool:
        lasts = int(_LASTS_SECONDS * 1000)
        holder = self._redis.set(_KEY, self._name, px=lasts, nx=True, get=True)
        if holder == self._name:
            # If it has passed to another since, that one keeps it for longer, and this one learns so at its next turn.
            self._redis.pexpire(_KEY, lasts)
        return holder in (None, self._name)

    def leave(self) -> None:
        """Let another process try: here something does not work, or this process ends."""
        if not self._ours:
            return
        self._ours, self._asks_at = False, time.monotonic() + _REST_SECONDS
        self._redis.delete(_KEY)
