"""One moment of the database, as one customer sees it: row-level security decides what an export contains."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, text

from db.engine import get_engine

_ROWS: Final = 500
# A page is read while the one before is being packed; whoever is packed may pause longer than others may stand idle.
_PATIENT: Final = (
    "SET LOCAL statement_timeout = '60s'", "SET LOCAL idle_in_transaction_session_timeout = '120s'",
    "SET LOCAL TimeZone = 'UTC'",
)  # fmt: skip


class Snapshot:
    """What a customer's rows are at one moment, whatever is written meanwhile.

    Args:
        connection: its transaction.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def lines(self, statement: str, values: Mapping[str, Any]) -> Iterator[str]:
        """The first column of each row, which is JSON: one line each; only a few rows are held at a time."""
        found = self._connection.execution_options(yield_per=_ROWS).execute(text(statement), values)
        for line in found.scalars():
            # Outside of texts, where it must be escaped, a break of a line means nothing to JSON.
            yield line.replace("\n", " ").replace("\r", " ")

    def one(self, statement: str, values: Mapping[str, Any]) -> Any:
        """The first column of the first row; none if there is no row."""
        return self._connection.execute(text(statement), values).scalar()


@contextmanager
def snapshot(customer_id: int) -> Iterator[Snapshot]:
    """Read as this customer, for the length of the block."""
    engine = get_engine("application").execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    with engine.begin() as connection:
        connection.execute(text("SELECT set_config('app.tenant', :tenant, true)"), {"tenant": str(customer_id)})
        for statement in _PATIENT:
            connection.exec_driver_sql(statement)
        yield Snapshot(connection)
