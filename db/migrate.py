"""Bringing the database up to date: the ``release`` step of a deploy."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from botyard.errors import InputError
from db.engine import get_engine
from db.roles import check_application_role


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
