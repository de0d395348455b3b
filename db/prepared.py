"""Statements that each connection plans once. See docs/processing.md.

A statement that writes a whole batch takes PostgreSQL longer to plan than to run. The driver speaks the simple
protocol, so they are prepared in SQL: ``PREPARE`` before a connection's first use, then ``EXECUTE``, several in one
round trip.
"""

import re
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
        names = list(dict.fromkeys(_PARAMETER.findall(sql)))
        taken = ", ".join(types[name] for name in names)
        numbers = {name: f"${place}" for place, name in enumerate(names, 1)}
        body = _PARAMETER.sub(lambda found: numbers[found[1]], sql).replace("%%", "%")
        # The same name means the same statement, whichever version of the code has prepared it.
        self.name = "by_" + sha256(f"{taken}\0{body}".encode()).hexdigest()[:24]
        self.prepare = f"PREPARE {self.name} ({taken}) AS {body}"
        self.execute = f"EXECUTE {self.name} ({', '.join(f'%({name})s' for name in names)})"


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
    known = _prepared(used)
    for one in statements:
        if one.name not in known:
            # By an earlier user of a pooler's connection, then.
            with suppress(psycopg2.errors.DuplicatePreparedStatement):
                used.execute(one.prepare)
            known.add(one.name)
    used.execute(_TENANT + ";".join(one.execute for one in statements), parameters)
    return used.fetchall()


def _prepared(used: cursor) -> set[str]:
    return cast("YardConnection", used.connection).prepared
