"""Making a backup: a snapshot, its dump, and what is in it. See docs/backups.md."""

import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from redis import Redis
from sqlalchemy import Connection

from botyard.backups import programs
from botyard.backups.archive import DUMP, MAILBOXES, Manifest, pack, sha256_of
from botyard.backups.errors import BackupFailed
from botyard.backups.mailboxes import write_waiting
from botyard.backups.tables import contents
from botyard.settings import Settings
from db.engine import get_engine

_SNAPSHOT: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
# The dump may take longer than transactions of the system role usually may.
_PATIENT: Final = "SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL statement_timeout = 0"
_SPARE: Final = 64 << 20
"""Bytes that stay free on the disk."""


def make(settings: Settings, redis: "Redis", name: str) -> tuple[Path, str, Manifest]:
    """Make a backup.

    Args:
        settings: where databases and backups are.
        redis: where updates wait.
        name: of its file, without ending.

    Returns:
        Its file, the SHA-256 of that, and what is in it.

    Raises:
        BackupFailed: it cannot be made now.
    """
    folder = settings.backup_folder
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with get_engine("system").connect() as connection, tempfile.TemporaryDirectory(dir=folder) as scratch:
            return _made(settings, redis, connection, Path(scratch), folder / f"{name}.botyard")
    except OSError as error:
        raise BackupFailed(f"{folder} cannot be written to: {error.strerror}.") from None


def _made(
    settings: Settings, redis: "Redis", connection: Connection, scratch: Path, file: Path
) -> tuple[Path, str, Manifest]:
    connection.exec_driver_sql(_SNAPSHOT)
    connection.exec_driver_sql(_PATIENT)
    server = int(connection.exec_driver_sql("SHOW server_version_num").scalar_one()) // 10_000
    tool = programs.program("pg_dump", server)
    _require_room(connection, scratch)
    snapshot = connection.exec_driver_sql("SELECT pg_export_snapshot()").scalar_one()
    at = datetime.now(UTC)
    # Before the dump: what is processed meanwhile is in both, and known by its number when it comes again.
    with (scratch / MAILBOXES).open("wb") as to:
        waiting = write_waiting(redis, to)
    arguments = ("--format=custom", "--schema=public", "--no-owner", f"--snapshot={snapshot}", "--no-password")
    programs.run(tool, settings.require("database_system_url"), [*arguments, f"--file={scratch / DUMP}"])
    migration = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()
    files = {one: sha256_of(scratch / one) for one in (DUMP, MAILBOXES)}
    manifest = Manifest(at.isoformat(), migration, server, contents(connection), waiting, files)
    return file, pack(scratch, file, manifest), manifest


def _require_room(connection: Connection, folder: Path) -> None:
    """A dump is smaller than its database; packed there are two of it for a moment."""
    size = int(connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one())
    free = shutil.disk_usage(folder).free
    if free < size + _SPARE:
        raise BackupFailed(
            f"{folder.parent} has {free >> 20} MB free, and the database {size >> 20} MB. Make room, or set BACKUP_DIR."
        )
