"""Names are looked up in threads, and a name server may keep each for long: everybody has only a few at once."""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock

LookUp = Callable[[str, int], Sequence[str]]
"""Gives the addresses of a name; raises `OSError` if there are none."""


class LookUps:
    """Looks names up.

    Args:
        threads: how many at once.
        each: how many of these for one at once.
    """

    def __init__(self, threads: int, each: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="lookup")
        self._each = each
        self._busy: Counter[str] = Counter()
        self._lock = Lock()

    def begin(self, whose: str, look: LookUp, host: str, port: int) -> "Future[Sequence[str]] | None":
        """Look a name up, for somebody; none if they have as many at work as they may."""
        with self._lock:
            if self._busy[whose] >= self._each:
                return None
            self._busy[whose] += 1
        found = self._threads.submit(look, host, port)
        # Not when nobody waits for it any more: its thread is taken until it ends.
        found.add_done_callback(lambda _: self._ended(whose))
        return found

    def _ended(self, whose: str) -> None:
        with self._lock:
            self._busy[whose] -= 1
            if not self._busy[whose]:
                del self._busy[whose]
