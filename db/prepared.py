"""Statements that each connection plans once a second. See docs/processing.md.

A statement that writes a whole batch takes PostgreSQL longer to plan than to run. The driver speaks the simple
protocol, so they are prepared in SQL: ``PREPARE``, and then ``EXECUTE`` as often as they are needed, several in one
round trip.
"""

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from typing import Any, Final

import psycopg2
import psycopg2.errors
import structlog
from sqlalchemy.exc import TimeoutError as PoolTimeout

from db.line import LOOK_SECONDS, Line, Rows

log = structlog.get_logger(__name__)

_PARAMETER: Final = re.compile(r"%\((\w+)\)s")
_PLAN_SECONDS: Final = 1.0
"""A plan is for tables as large as they were. They grow, and PostgreSQL itself looks again after a minute only."""
_TENANT: Final = "SELECT set_config('app.tenant', %(tenant)s, true);"
_WAIT_SECONDS: Final = 5.0
_RECYCLE_SECONDS: Final = 1800.0


class Prepared:
    """A statement with named parameters, such as ``%(bot)s``.

    Args:
        sql: one statement.
        types: the parameters' types in PostgreSQL.
    """

    def __init__(self, sql: str, **types: str) -> None:
        self.sql = sql
        self.types = types
        self.parameters = list(dict.fromkeys(_PARAMETER.findall(sql)))
        taken = ", ".join(types[name] for name in self.parameters)
        numbers = {name: f"${place}" for place, name in enumerate(self.parameters, 1)}
        body = _PARAMETER.sub(lambda found: numbers[found[1]], sql).replace("%%", "%")
        # The same name means the same statement, whichever version of the code has prepared it.
        self.name = "by_" + sha256(f"{taken}\0{body}".encode()).hexdigest()[:24]
        self.prepare = f"PREPARE {self.name} ({taken}) AS {body}"
        self.execute = f"EXECUTE {self.name} ({', '.join(f'%({name})s' for name in self.parameters)})"


class Statements:
    """Connections on which prepared statements run; any event loop may ask.

    Args:
        loop: waits for PostgreSQL.
        size: connections at most.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, size: int) -> None:
        self._loop = loop
        self._room = asyncio.Semaphore(size)
        self._idle: list[Line] = []
        self._busy: set[Line] = set()
        self._looking: asyncio.TimerHandle | None = None
        self._plain = False
        """Something stands between us and PostgreSQL that forgets what is prepared: statements are sent whole."""

    async def execute(self, parameters: Mapping[str, Any], *statements: Prepared) -> Rows:
        """Run statements as one transaction in one round trip, as the customer ``tenant``; the rows of the last one.

        Args:
            parameters: of all of them, by name.
            statements: in their order.

        Raises:
            psycopg2.Error: nothing was changed, or the connection was lost.
            PoolTimeout: all connections were busy for too long.
        """
        if asyncio.get_running_loop() is self._loop:
            return await self._execute(parameters, statements)
        asked = asyncio.run_coroutine_threadsafe(self._execute(parameters, statements), self._loop)
        return await asyncio.wrap_future(asked)

    def close(self) -> None:
        """End the connections that nobody uses."""
        while self._idle:
            self._idle.pop().close()

    async def _execute(self, parameters: Mapping[str, Any], statements: Sequence[Prepared]) -> Rows:
        await self._enter()
        try:
            return await self._on_a_line(parameters, statements)
        finally:
            self._room.release()

    async def _enter(self) -> None:
        try:
            async with asyncio.timeout(_WAIT_SECONDS if self._room.locked() else None):
                await self._room.acquire()
        except TimeoutError:
            raise PoolTimeout(f"all connections were busy for {_WAIT_SECONDS:g} s") from None

    async def _on_a_line(self, parameters: Mapping[str, Any], statements: Sequence[Prepared]) -> Rows:
        line = await self._line()
        self._busy.add(line)
        if self._looking is None:
            self._looking = self._loop.call_later(LOOK_SECONDS, self._look)
        try:
            return await self._run(line, parameters, statements)
        except (psycopg2.OperationalError, psycopg2.InterfaceError):
            # A restarted server leaves us full of dead connections: none of them is tried again.
            line.close()
            self.close()
            raise
        except asyncio.CancelledError:
            # Somebody who gives up leaves an answer behind that is nobody's.
            line.close()
            raise
        finally:
            self._busy.discard(line)
            if line.closed:
                # Whatever it ended with: its loop is to look at its socket no more.
                line.close()
            else:
                self._idle.append(line)

    def _look(self) -> None:
        for line in tuple(self._busy):
            line.look()
        self._looking = self._loop.call_later(LOOK_SECONDS, self._look) if self._busy else None

    async def _line(self) -> Line:
        # The one that was used last: it knows the plans, and its server process is warm.
        while self._idle:
            line = self._idle.pop()
            if not line.closed and time.monotonic() < line.born + _RECYCLE_SECONDS:
                return line
            line.close()
        return await Line.opened(self._loop)

    async def _run(self, line: Line, parameters: Mapping[str, Any], statements: Sequence[Prepared]) -> Rows:
        for _ in range(0 if self._plain else 2):
            try:
                return await _run_prepared(line, parameters, statements)
            except psycopg2.errors.InvalidSqlStatementName:
                # Somebody has reset the connection, or it is a pooler's and leads elsewhere now.
                line.prepared.clear()
        if not self._plain:
            self._plain = True
            log.warning("statements_not_prepared", meaning="what is prepared is forgotten; each is planned every time")
        return await line.ask(_TENANT + ";".join(one.sql for one in statements), parameters)


async def _run_prepared(line: Line, parameters: Mapping[str, Any], statements: Sequence[Prepared]) -> Rows:
    now = time.monotonic()
    for one in statements:
        before = line.prepared.get(one.name)
        if before is None:
            # By an earlier user of a pooler's connection, then.
            with suppress(psycopg2.errors.DuplicatePreparedStatement):
                await line.ask(one.prepare)
        elif now > before + _PLAN_SECONDS:
            await line.ask(f"DEALLOCATE {one.name}; {one.prepare}")
        else:
            continue
        line.prepared[one.name] = now
    return await line.ask(_TENANT + ";".join(one.execute for one in statements), parameters)
