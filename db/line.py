"""A connection to PostgreSQL that an event loop waits for, and no thread. See docs/processing.md."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final

import psycopg2
from psycopg2.extensions import POLL_OK, POLL_READ, POLL_WRITE, connection, cursor

from db.engine import connect_arguments

Rows = list[tuple[Any, ...]]

_CONNECT_SECONDS: Final = 5.0
LOOK_SECONDS: Final = 1.0
"""So often somebody looks who waits for an answer, whatever the event loop says.

Of an error of a socket uvloop tells once. When a server was killed, whoever is told then reads its last words, and is
not told again that there is an error behind them.
"""


class Line:
    """One exchange after the other, by the driver's asynchronous mode, in which each is a transaction of its own.

    Made by `opened`.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, connected: connection) -> None:
        self._loop = loop
        self._connection = connected
        self._watched: int | None = None
        self._writing = False
        self._cursor: cursor | None = None
        self._answer: asyncio.Future[Rows] | None = None
        self.prepared: dict[str, float] = {}
        """Which statements it has prepared, and when, monotonic seconds."""
        self.born = time.monotonic()

    @classmethod
    async def opened(cls, loop: asyncio.AbstractEventLoop) -> "Line":
        """A new one, for the running loop.

        Raises:
            psycopg2.OperationalError: PostgreSQL cannot be reached, or does not let us in.
        """
        # In a thread: the server's name is looked up at once, however long that takes.
        begin = partial(psycopg2.connect, **connect_arguments("statements"), async_=True)
        line = cls(loop, await loop.run_in_executor(None, begin))
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await line._connect()
        except TimeoutError:
            line.close()
            raise psycopg2.OperationalError(f"no connection within {_CONNECT_SECONDS:g} s") from None
        except BaseException:
            line.close()
            raise
        return line

    async def _connect(self) -> None:
        while (state := self._connection.poll()) != POLL_OK:
            await self._until_ready(state)
        self._watched = self._connection.fileno()
        # For as long as it is open: an end that comes while nobody asks is noticed, too.
        self._loop.add_reader(self._watched, self._go_on)

    async def _until_ready(self, state: int) -> None:
        # Its socket may be another one each time: the next of several hosts, or one without encryption.
        place, ready = self._connection.fileno(), asyncio.Event()
        if state == POLL_READ:
            self._loop.add_reader(place, ready.set)
        else:
            self._loop.add_writer(place, ready.set)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await ready.wait()
        finally:
            self._loop.remove_reader(place)
            self._loop.remove_writer(place)

    def ask(self, sql: str, parameters: Mapping[str, Any] | None = None) -> "asyncio.Future[Rows]":
        """Send statements, one transaction together; the rows of the last one, to be awaited.

        Raises, then or at once:
            psycopg2.Error: nothing was changed, or the connection was lost.
        """
        answer: asyncio.Future[Rows] = self._loop.create_future()
        self._cursor = self._connection.cursor()
        self._cursor.execute(sql, parameters)
        self._answer = answer
        self._go_on()
        return answer

    def look(self) -> None:
        """Go on, if somebody waits."""
        if self._answer is not None:
            self._go_on()

    def _go_on(self) -> None:
        """Write and read what can be written and read."""
        try:
            state = self._connection.poll()
        except psycopg2.Error as error:
            self._fail(error)
            return
        if (state == POLL_WRITE) != self._writing and self._watched is not None:
            self._writing = not self._writing
            if self._writing:
                self._loop.add_writer(self._watched, self._go_on)
            else:
                self._loop.remove_writer(self._watched)
        if state == POLL_OK and self._answer is not None:
            answer, used = self._ended()
            if not answer.done():
                answer.set_result([] if used.description is None else used.fetchall())

    def _fail(self, error: psycopg2.Error) -> None:
        if self._answer is None or self.closed:
            # Ended from the other side, perhaps while nobody asked. At once: the driver has given the socket up, and
            # the next connection may have it by its number before whoever asked closes this one.
            self.close()
        if self._answer is None:
            return
        answer, _ = self._ended()
        if not answer.done():
            answer.set_exception(error)

    def _ended(self) -> "tuple[asyncio.Future[Rows], cursor]":
        answer, used = self._answer, self._cursor
        assert answer is not None  # noqa: S101 - both callers have looked
        assert used is not None  # noqa: S101 - set with it
        self._answer = self._cursor = None
        return answer, used

    @property
    def closed(self) -> bool:
        """Nobody can ask any more."""
        return bool(self._connection.closed)

    def close(self) -> None:
        """End the connection; what is under way may be carried out all the same."""
        if self._watched is not None:
            self._loop.remove_reader(self._watched)
            self._loop.remove_writer(self._watched)
            self._watched = None
        self._connection.close()
