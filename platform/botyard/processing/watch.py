"""Notices when a handler blocks its event loop, and says where. See docs/processing.md."""

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import structlog

from botyard.telemetry.fingerprints import place_of

log = structlog.get_logger(__name__)

_BEAT_SECONDS: Final = 0.25


@dataclass(slots=True, eq=False)
class _Watched:
    """A loop at work for one bot."""

    bot: int
    thread: int
    beat: float = field(default_factory=time.monotonic)
    told: bool = False
    timer: asyncio.TimerHandle | None = None

    def keep_beating(self, loop: asyncio.AbstractEventLoop) -> None:
        """The loop has come to a turn, and will come to another one soon."""
        self.beat, self.told = time.monotonic(), False
        self.timer = loop.call_later(_BEAT_SECONDS, self.keep_beating, loop)

    def end(self) -> None:
        """The loop works for somebody else."""
        if self.timer is not None:
            self.timer.cancel()


class LoopWatch:
    """A thread that looks whether the loops of this process go on.

    Args:
        tell: called from that thread with the bot's row, the place and the seconds; once per bot and place.
        patience: seconds without a turn of the loop that are too many.
    """

    def __init__(self, tell: Callable[[int, str, float], None], patience: float = 2.0) -> None:
        self._tell = tell
        self._patience = patience
        self._known: set[tuple[int, str]] = set()
        self._watched: set[_Watched] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="loop-watch", daemon=True)
        self._thread.start()

    @contextmanager
    def watching(self, bot: int) -> Iterator[None]:
        """The running loop of this thread works for this bot until the end of the block."""
        watched = _Watched(bot, threading.get_ident())
        watched.keep_beating(asyncio.get_running_loop())
        with self._lock:
            self._watched.add(watched)
        try:
            yield
        finally:
            with self._lock:
                self._watched.discard(watched)
            watched.end()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stop.wait(_BEAT_SECONDS):
            with self._lock:
                standing = [one for one in self._watched if self._stands(one)]
            for one in standing:
                one.told = True
                self._look(one)

    def _stands(self, one: _Watched) -> bool:
        return not one.told and time.monotonic() - one.beat > self._patience

    def _look(self, one: _Watched) -> None:
        frame = sys._current_frames().get(one.thread)  # noqa: SLF001 - there is no other way to see another thread
        place = "" if frame is None else place_of(frame)
        if not place or (one.bot, place) in self._known:
            return
        self._known.add((one.bot, place))
        try:
            self._tell(one.bot, place, time.monotonic() - one.beat)
        except Exception:
            # The edge of a thread: without it nothing of this process would be noticed any more.
            log.exception("loop_blocked_not_told", bot=one.bot, place=place)
