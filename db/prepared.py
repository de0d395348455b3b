"""Statements that each connection plans once a second. See docs/processing.md.

A statement that writes a whole batch takes PostgreSQL longer to plan than to run. The driver speaks the simple
protocol, so they are prepared in SQL: ``PREPARE``, and then ``EXECUTE`` as often as they are needed, several in one
round trip.
"""

import re
import time
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, cast

import psycopg2.errors
import structlog
from psycopg2.extensions import cursor

from db.engine import one_statement

if TYPE_CHECKING:
    from db.engine import YardConnection

log = structlog.get_logger(__name__)

_PARAMETER: Final = re.compile(r"%\((\w+)\)s")
_PLAN_SECONDS: Final = 1.0
"""A plan is for tables as large as they were. They grow, and PostgreSQL itself looks again after a minute only."""
_TENANT: Final = "SELECT set_config('app.tenant', %(tenant)s, true);"


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


class _Way:
    """How statements are sent: prepared, unless something stands between us and PostgreSQL that forgets them."""

    plain = False


def execute(parameters: Mapping[str, Any], *statements: Prepared) -> list[tuple[Any, ...]]:
    """Run statements as one transaction in one round trip, as the customer ``tenant``; the rows of the last one.

    Args:
        parameters: of all of them, by name.
        statements: in their order.

    Raises:
        psycopg2.Error: nothing was changed, or the connection was lost.
    """
    with one_statement() as used:
        if not _Way.plain:
            for _ in range(2):
                try:
                    return _run_prepared(used, parameters, statements)
                except psycopg2.errors.InvalidSqlStatementName:
                    # Somebody has reset the connection, or it is a pooler's and leads elsewhere now.
                    _prepared(used).clear()
            _Way.plain = True
            log.warning("statements_not_prepared", meaning="what is prepared is forgotten; each is planned every time")
        used.execute(_TENANT + ";".join(one.sql for one in statements), parameters)
        return used.fetchall()


def _run_prepared(
    used: cursor, parameters: Mapping[str, Any], statements: tuple[Prepared, ...]
) -> list[tuple[Any, ...]]:
    planned, now = _prepared(used), time.monotonic()
    for one in statements:
        before = planned.get(one.name)
        if before is None:
            # By an earlier user of a pooler's connection, then.
            with suppress(psycopg2.errors.DuplicatePreparedStatement):
                used.execute(one.prepare)
        elif now > before + _PLAN_SECONDS:
            used.execute(f"DEALLOCATE {one.name}; {one.prepare}")
        else:
            continue
        planned[one.name] = now
    used.execute(_TENANT + ";".join(one.execute for one in statements), parameters)
    return used.fetchall()


def _prepared(used: cursor) -> dict[str, float]:
    return cast("YardConnection", used.connection).prepared
