"""What is in a database, table by table: how many rows, and a sum over what they say."""

from typing import Final

from sqlalchemy import Connection, text

Contents = dict[str, list[str]]
"""By table: the number of its rows, and the sum of their hashes, whatever their order."""

_TABLES: Final = text("""
SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
 ORDER BY c.relname
""")
# Rows are compared as texts, so both sides must write them alike.
_ALIKE: Final = "SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO'; SET LOCAL statement_timeout = 0"


def contents(connection: Connection) -> Contents:
    """What is in all tables, as this transaction sees them."""
    connection.exec_driver_sql(_ALIKE)
    found: Contents = {}
    for table in connection.execute(_TABLES).scalars().all():
        count, total = connection.exec_driver_sql(
            f'SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) FROM public."{table}" t'  # noqa: S608 - PostgreSQL's own names
        ).one()
        found[table] = [str(count), str(total)]
    return found


def difference(wanted: Contents, found: Contents) -> str | None:
    """What differs, in a person's words; nothing if nothing does."""
    for table in sorted(wanted.keys() | found.keys()):
        if table not in found:
            return f"The table {table} is missing."
        if table not in wanted:
            return f"There is a table {table} that was not there."
        if found[table][0] != wanted[table][0]:
            return f"The table {table} has {found[table][0]} rows instead of {wanted[table][0]}."
        if found[table] != wanted[table]:
            return f"Rows of the table {table} differ."
    return None
