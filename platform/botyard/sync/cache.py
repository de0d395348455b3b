"""What a process keeps of the database for a while: bounded, with an end, and dropped when it changes."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

T = TypeVar("T")
_NOTHING: Final = object()


class Cache:
    """Values by key; the least recently used go first.

    A value that was read before a change and is kept after it would be wrong for its whole life. So `load` keeps only
    what was read while nothing was dropped; `mark` and `set` do the same for those who read in other ways.

    Args:
        limit: how many values at most.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: OrderedDict[str, tuple[float, Any]] = OrderedDict()
        self._lock = threading.Lock()
        self._drops = 0

    def get(self, key: str, default: Any = None) -> Any:
        """The value of this key; ``default`` if there is none, or its time is over."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return default
            if found[0] < time.monotonic():
                del self._kept[key]
                return default
            self._kept.move_to_end(key)
            return found[1]

    def mark(self) -> int:
        """A point in the order of drops: read, then give it to `set`."""
        return self._drops

    def set(self, key: str, value: Any, ttl: float, since: int | None = None) -> bool:
        """Keep a value for ``ttl`` seconds.

        Args:
            key: its name.
            value: anything; it is not copied.
            ttl: in seconds.
            since: from `mark`, taken before the value was read.

        Returns:
            Whether it is kept: not if something was dropped since.
        """
        with self._lock:
            if since is not None and since != self._drops:
                return False
            self._kept[key] = (time.monotonic() + ttl, value)
            self._kept.move_to_end(key)
            while len(self._kept) > self._limit:
                self._kept.popitem(last=False)
            return True

    def load(self, key: str, ttl: float, read: Callable[[], T]) -> T:
        """The value of this key, read now if it is not at hand."""
        found = self.get(key, _NOTHING)
        if found is not _NOTHING:
            return cast("T", found)
        mark = self.mark()
        value = read()
        self.set(key, value, ttl, mark)
        return value

    def invalidate(self, key_or_prefix: str) -> int:
        """Drop one key, or with a ``*`` at its end every key that begins so; how many that were."""
        with self._lock:
            self._drops += 1
            if not key_or_prefix.endswith("*"):
                return 0 if self._kept.pop(key_or_prefix, None) is None else 1
            prefix = key_or_prefix[:-1]
            gone = [key for key in self._kept if key.startswith(prefix)]
            for key in gone:
                del self._kept[key]
            return len(gone)

    def __len__(self) -> int:
        """How many values there are, over or not."""
        return len(self._kept)
