"""The three database roles, as the settings' addresses name them.

owner: runs migrations and owns the tables. application: what bots and customers reach; row-level security
applies to it. system: sees every customer (dispatch, retention, backup).
"""

from sqlalchemy import Connection, make_url, text
from sqlalchemy.dialects.postgresql.psycopg2 import PGDialect_psycopg2

from botyard.errors import InputError
from botyard.settings import get_settings

_quote = PGDialect_psycopg2().identifier_preparer.quote  # type: ignore[no-untyped-call]


def role_names() -> tuple[str, str]:
    """The names of the application and the system role.

    Raises:
        InputError: an address names no user, or both name the same.
    """
    names = []
    for field in ("database_url", "database_system_url"):
        name = make_url(get_settings().require(field)).username
        if not name:
            raise InputError(field.upper(), "names no user.", "Write it as postgresql://USER:PASSWORD@HOST/DATABASE.")
        names.append(name)
    if names[0] == names[1]:
        raise InputError("DATABASE_SYSTEM_URL", "names the same role as DATABASE_URL.", "Use two roles.")
    return names[0], names[1]


def ensure_roles(connection: Connection) -> None:
    """Create the application and system roles with the settings' passwords, or set these passwords anew."""
    for field, bypass in (("database_url", "NOBYPASSRLS"), ("database_system_url", "BYPASSRLS")):
        url = make_url(get_settings().require(field))
        name, password = _quote(url.username or ""), url.password or ""
        found = connection.execute(
            text("SELECT 1 FROM pg_roles WHERE rolname = :name"), {"name": url.username}
        ).scalar()
        verb = "ALTER" if found else "CREATE"
        literal = password.replace("'", "''")
        connection.exec_driver_sql(
            f"{verb} ROLE {name} LOGIN {bypass} NOSUPERUSER PASSWORD '{literal}'".replace("%", "%%")
        )
