"""Proving a backup: it is restored into a database of its own, and compared with what it should be."""

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from botyard.backups import programs
from botyard.backups.archive import DUMP, Manifest, unpack
from botyard.backups.errors import BackupFailed, NotProven
from botyard.backups.tables import contents, difference
from botyard.settings import Settings

_OPEN: Final = text("""
SELECT format('ALTER TABLE public.%I NO FORCE ROW LEVEL SECURITY', relname) FROM pg_class
 WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relforcerowsecurity
""")


def verify(settings: Settings, file: Path, digest: str | None = None) -> Manifest:
    """Restore a backup into a scratch database, and compare all tables; the database is dropped again.

    Args:
        settings: where a scratch database may be made.
        file: the backup.
        digest: what its SHA-256 should be.

    Raises:
        NotProven: it is not what it should be.
        BackupFailed: that cannot be tried here.
    """
    server = settings.backup_verify_url or settings.database_owner_url
    if server is None:
        raise BackupFailed("It cannot be proven: set BACKUP_VERIFY_URL to a server where databases may be made.")
    with tempfile.TemporaryDirectory(dir=settings.backup_folder) as folder:
        manifest = unpack(file, Path(folder), digest)
        with _scratch(server.get_secret_value()) as url:
            _load(url, Path(folder) / DUMP, manifest.server)
            compare(url, manifest)
    return manifest


def compare(url: str, manifest: Manifest) -> None:
    """Go on only if a database has just what a backup should have.

    Raises:
        NotProven: it has not.
    """
    engine = engine_of(url)
    with engine.connect() as connection:
        # Policies bind an owner, too; whoever compares must see every row. Nothing of this is committed.
        for statement in connection.execute(_OPEN).scalars().all():
            connection.exec_driver_sql(statement)
        migration = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
        if migration != manifest.migration:
            raise NotProven(f"It has migration {migration} instead of {manifest.migration}.")
        if found := difference(manifest.tables, contents(connection)):
            raise NotProven(found)


def _load(url: str, dump: Path, server: int) -> None:
    try:
        load(url, dump, server)
    except BackupFailed as error:
        raise NotProven(f"It cannot be restored: {error}") from None


def load(url: str, dump: Path, server: int, *, rights: bool = False) -> None:
    """Restore a dump into a database, all of it or nothing.

    Args:
        url: of the database, as its owner.
        dump: as `pg_dump` made it.
        server: the version of PostgreSQL that it is of.
        rights: also who may do what there; the roles must be there.

    Raises:
        BackupFailed: it cannot be.
    """
    arguments = ["--schema=public", "--no-owner", "--exit-on-error", "--single-transaction", "--no-password"]
    arguments += [] if rights else ["--no-privileges"]
    database = f"--dbname={make_url(url).database}"
    programs.run(programs.program("pg_restore", server), url, [*arguments, database, dump])


def engine_of(url: str) -> Engine:
    """Connections to a database that is none of the settings'."""
    return create_engine(make_url(url).set(drivername="postgresql+psycopg2"), poolclass=NullPool)


@contextmanager
def _scratch(server: str) -> Iterator[str]:
    """A database that is gone afterwards."""
    name = f"botyard_proof_{secrets.token_hex(6)}"
    engine = engine_of(server).execution_options(isolation_level="AUTOCOMMIT")
    _said(engine, f'CREATE DATABASE "{name}" TEMPLATE template0')
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        _said(engine, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _said(engine: Engine, statement: str) -> None:
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)
    except SQLAlchemyError as error:
        raise BackupFailed(f"No scratch database can be made there: {type(error).__name__}.") from None
