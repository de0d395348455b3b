"""The three database roles, as the settings' addresses name them.

owner: runs migrations and owns the tables. application: what bots and customers reach; row-level security
applies to it. system: sees every customer (dispatch, retention, backup).
"""

from typing import Any, Final, cast

import structlog
from psycopg2.extensions import encrypt_password
from sqlalchemy import Connection, make_url, text
from sqlalchemy.dialects.postgresql.psycopg2 import PGDialect_psycopg2
from sqlalchemy.exc import DBAPIError

from botyard.errors import InputError
from botyard.settings import get_settings
from db.engine import DATABASE_TROUBLE, get_engine

log = structlog.get_logger(__name__)

# Rights of roles that it is a member of count too: it can take them on. So do those of a role that owns a table.
_ABOVE_POLICIES: Final = """
SELECT current_user, r.rolname, r.rolsuper, r.rolbypassrls FROM pg_roles r
 WHERE pg_has_role(current_user, r.oid, 'MEMBER')
   AND (r.rolsuper OR r.rolbypassrls OR EXISTS (
        SELECT 1 FROM pg_class c WHERE c.relowner = r.oid AND c.relkind IN ('r', 'p')
           AND c.relnamespace = 'public'::regnamespace))
 ORDER BY r.rolname <> current_user, NOT r.rolsuper, NOT r.rolbypassrls LIMIT 1
"""
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
    """Create the application and system roles with the settings' passwords, or set these passwords anew.

    Raises:
        InputError: the owner may not do that.
    """
    for field, rights in (("database_url", "NOBYPASSRLS"), ("database_system_url", "BYPASSRLS")):
        url = make_url(get_settings().require(field))
        name, password = url.username or "", url.password or ""
        known = connection.execute(text("SELECT 1 FROM pg_roles WHERE rolname = :name"), {"name": name}).scalar()
        # Only a superuser may mention rights again, even unchanged ones; and the password travels as a verifier, so
        # that it stands in no log of a failed statement.
        verb = f"ALTER ROLE {_quote(name)}" if known else f"CREATE ROLE {_quote(name)} {rights}"
        driver = connection.connection.driver_connection
        verifier = encrypt_password(password, name, cast("Any", driver), "scram-sha-256")
        try:
            connection.exec_driver_sql(f"{verb} LOGIN PASSWORD '{verifier}'")
        except DBAPIError as error:
            reason = str(error.orig).strip().splitlines()[0]
            remedy = "Create both roles by hand, or let a superuser own the database."
            raise InputError(field.upper(), f"its role {name} cannot be prepared: {reason}.", remedy) from None


def check_application_role() -> None:
    """Refuse to work if row-level security would not hold the application role; one cheap query, asked at each start.

    A database that cannot be asked now is no reason to refuse: no statement gets through to it either.

    Raises:
        InputError: the role may do what is above the policies; which right that is, and through which role.
    """
    try:
        with get_engine("application").connect() as connection:
            found = connection.exec_driver_sql(_ABOVE_POLICIES).first()
    except DATABASE_TROUBLE as error:
        log.warning("application_role_not_checked", error=type(error).__name__)
        return
    if found is None:
        return
    user, name, superuser, bypasses = found
    right = "is a superuser" if superuser else "has BYPASSRLS" if bypasses else "owns tables"
    through = "" if name == user else f" through the role {name}, which it is a member of"
    raise InputError(
        "DATABASE_URL",
        f"its role {user} {right}{through}: the policies that keep customers apart would not hold it.",
        "Name a role of its own, without that right; `botyard migrate` creates it.",
    )
