"""The time of the simulated world, and what waits for a moment of it.

All deadlines of the simulator are read from one clock, which a test may set, move, slow down, hasten or stop. What
waits is told at once when the clock moves past its moment.
"""

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable

SHORTEST_WAIT = 0.001
"""Seconds between two looks: the loop's own clock may run a little ahead of the machine's."""

Reading = tuple[float, float, float]


class Clock:
    """A clock that shows the machine's time until it is told otherwise.

    Args:
        source: returns the machine's time in epoch seconds.
    """

    def __init__(self, source: Callable[[], float] = time.time) -> None:
        self._source = source
        self._shown = self._since = 0.0
        self.speed = 1.0

    def now(self) -> float:
        """Return the time in epoch seconds."""
        return self._shown + (self._source() - self._since) * self.speed

    @property
    def offset(self) -> float:
        """How many seconds it is ahead of the machine."""
        return self.now() - self._source()

    def set(self, *, at: float | None = None, offset: float | None = None, speed: float | None = None) -> None:
        """Change the time, the pace, or both.

        Args:
            at: the new time in epoch seconds.
            offset: seconds ahead of the machine's time, where ``at`` is not given.
            speed: seconds that pass in one second of the machine; 0 stops the clock.
        """
        machine = self._source()
        shown = self.now() if offset is None else machine + offset
        self._shown = shown if at is None else at
        self._since = machine
        if speed is not None:
            self.speed = speed

    def reset(self) -> None:
        """Show the machine's time again."""
        self._shown = self._since = 0.0
        self.speed = 1.0

    @property
    def reading(self) -> Reading:
        """What :meth:`restore` needs to go on as if it had never stopped."""
        return self._shown, self._since, self.speed

    def restore(self, reading: Reading) -> None:
        """Go on from a reading."""
        self._shown, self._since, self.speed = reading


class Timer:
    """One call that waits for its moment."""

    __slots__ = ("call", "counted")

    def __init__(self, call: Callable[[], object], *, counted: bool) -> None:
        self.call: Callable[[], object] | None = call
        self.counted = counted

    def cancel(self) -> None:
        """Forget the call."""
        self.call = None


class Timers:
    """Calls that wait for moments of a clock.

    Before :meth:`start` nothing happens by itself; :meth:`run` may be called at any time.

    Args:
        clock: whose moments.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: list[tuple[float, int, Timer]] = []
        self._numbers = itertools.count()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to make the calls that are due. Needs a running event loop."""
        self._loop = asyncio.get_running_loop()
        self._arm()

    def stop(self) -> None:
        """Make no more calls."""
        self._loop = None
        self._waiting.clear()
        self._arm()

    def at(self, moment: float, call: Callable[[], object]) -> Timer:
        """Make a call at a moment.

        Args:
            moment: in epoch seconds of the clock.
            call: what to call.
        """
        return self._add(moment, Timer(call, counted=False))

    def after(self, seconds: float, call: Callable[[], object]) -> Timer:
        """Make a call after some seconds of the clock. They stay as many when it is turned back."""
        return self._add(self._clock.now() + seconds, Timer(call, counted=True))

    def turn_back(self, seconds: float) -> None:
        """Take note that the clock went back by so many seconds. What waits for a moment goes on waiting for it."""
        self._waiting = [
            (moment - seconds if timer.counted else moment, number, timer) for moment, number, timer in self._waiting
        ]
        heapq.heapify(self._waiting)
        self._arm()

    def run(self) -> None:
        """Make the calls that are due, in the order of their moments."""
        # What a call adds for this very moment waits for the next round, so that no chain can hold the loop.
        now = self._clock.now()
        due = []
        while self._waiting and self._waiting[0][0] <= now:
            due.append(heapq.heappop(self._waiting)[2])
        self._arm()
        for timer in due:
            if timer.call:
                timer.call()

    def _add(self, moment: float, timer: Timer) -> Timer:
        heapq.heappush(self._waiting, (moment, next(self._numbers), timer))
        if self._waiting[0][2] is timer:
            self._arm()
        return timer

    def _arm(self) -> None:
        """Let the loop wake us for the earliest call; it must be told anew whenever the clock has changed."""
        if self._handle:
            self._handle.cancel()
            self._handle = None
        if self._loop and self._waiting and self._clock.speed:
            seconds = (self._waiting[0][0] - self._clock.now()) / self._clock.speed
            self._handle = self._loop.call_later(max(seconds, SHORTEST_WAIT), self.run)
