"""Bringing the database up to date: the ``release`` step of a deploy."""

from pathlib import Path
from typing import Final

import structlog
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from botyard.errors import InputError
from db.engine import get_engine
from db.roles import check_application_role

log = structlog.get_logger(__name__)

# First in its transaction: what the next statement sees was committed before that got its own number.
_ONE_AFTER_THE_OTHER: Final = text("SELECT pg_advisory_xact_lock(7283641)")
_FROM_ELSEWHERE: Final = text("""
SELECT greatest(
         (SELECT max(after_xid) FROM endpoints),
         (SELECT max(v.xid) FROM customers c
           CROSS JOIN LATERAL (SELECT max(coalesce(xid, 0)) AS xid FROM events WHERE customer_id = c.id) v)
       ) >= pg_current_xact_id()::text::bigint
""")
# In one transaction: nobody may read on from a place by numbers of which the half are gone.
_NUMBERED_ANEW: Final = (
    text("SET LOCAL statement_timeout = 0"),
    text("""
UPDATE endpoints e SET after_xid = 0, after_event = coalesce(
       (SELECT min(v.id) - 1 FROM events v
         WHERE v.customer_id = e.customer_id AND (coalesce(v.xid, 0), v.id) > (e.after_xid, e.after_event)),
       (SELECT max(id) FROM events), 0)
"""),
    text("UPDATE events SET xid = NULL WHERE xid IS NOT NULL"),
)


def configuration() -> Config:
    """Alembic's configuration, wherever the program is started."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def upgrade() -> None:
    """Create what is missing: the database, its roles, its tables. Any number may run at once.

    Raises:
        InputError: PostgreSQL cannot be reached as the owner, or the application role is above the policies.
    """
    _ensure_database()
    command.upgrade(configuration(), "head")
    check_application_role()
    number_anew()


def number_anew() -> bool:
    """Let events and endpoints go on that were restored into another cluster: its transactions have other numbers.

    An event that carries a number of the old cluster would wait until the new one gets there. Endpoints go on behind
    the last event that was made a message.

    Returns:
        Whether that was needed.
    """
    with get_engine("system").begin() as connection:
        connection.execute(_ONE_AFTER_THE_OTHER)
        if not connection.execute(_FROM_ELSEWHERE).scalar():
            return False
        for statement in _NUMBERED_ANEW:
            connection.execute(statement)
    log.warning("events_numbered_anew", meaning="they were restored from another cluster")
    return True


def _ensure_database() -> None:
    owner = get_engine("owner")
    try:
        with owner.connect():
            return
    except OperationalError as error:
        if "does not exist" not in str(error.orig):
            reason = str(error.orig).strip().splitlines()[-1]
            raise InputError(
                "DATABASE_OWNER_URL",
                f"PostgreSQL cannot be reached: {reason}.",
                "Is it running, is the password right?",
            ) from None
    server = create_engine(owner.url.set(database="postgres"), isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with server.connect() as connection:
        name = owner.dialect.identifier_preparer.quote(owner.url.database or "")
        found = connection.execute(
            text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": owner.url.database}
        )
        if found.scalar() is None:
            connection.exec_driver_sql(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")
