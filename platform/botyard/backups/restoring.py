"""Restoring a backup: into a database that is named, where everything waits until a person agrees.

What a backup holds as not sent may have been sent after it was made. So all bots are switched off by a restore, each
with a note of what it was; Telegram keeps what people write meanwhile. `agree` lets them go on.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from redis import Redis
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from botyard.backups.archive import DUMP, MAILBOXES, Manifest, unpack
from botyard.backups.errors import BackupFailed
from botyard.backups.mailboxes import put_back
from botyard.backups.verifying import compare, engine_of, load
from botyard.errors import InputError
from botyard.mailbox.keeping import Keeper
from botyard.mailbox.protocol import times_of
from botyard.settings import Settings
from db.engine import get_engine
from db.roles import ensure_roles

NOTE: Final = "restored from a backup; it was "
"""How the reason of a bot begins that waits for a person; its former status follows."""
_WAITING: Final = "restored-mailboxes.jsonl"
_ASIDE: Final = "botyard_before_restore"

_TABLES: Final = text("""
SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
""")
_HOLD: Final = text("""
UPDATE bots SET status = 'inactive', status_reason = :note || status, status_since = now() WHERE status <> 'inactive'
""")
_AGREE: Final = text("""
UPDATE bots SET status = substr(status_reason, length(:note) + 1), status_reason = NULL, status_since = now()
 WHERE status = 'inactive' AND starts_with(status_reason, :note)
""")
_DROP: Final = text("""
UPDATE outbox SET state = 'dropped', error = 'it may have been sent before the restore', resolved_at = now()
 WHERE state IN ('queued', 'retry', 'sending')
""")
_OPEN_SENDS: Final = text("SELECT count(*) FROM outbox WHERE state IN ('queued', 'retry', 'sending')")


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored.

    Args:
        manifest: what is in it.
        held: how many bots wait for a person.
        sends: how many sends wait with them.
    """

    manifest: Manifest
    held: int
    sends: int


def restore(settings: Settings, file: Path, target: str, *, replace: bool = False) -> Restored:
    """Restore a backup into a database, compare it, and let everything in it wait.

    Args:
        settings: where what waits in the mailboxes is kept until a person agrees.
        file: the backup, decrypted.
        target: the address of the database, as its owner.
        replace: drop what is there first.

    Raises:
        InputError: the database is not empty.
        NotProven: the backup is not what it should be.
        BackupFailed: it cannot be restored there.
    """
    settings.backup_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = engine_of(target)
    try:
        with tempfile.TemporaryDirectory(dir=settings.backup_folder) as folder:
            manifest = unpack(file, Path(folder))
            with _in_an_empty_place(engine, replace=replace):
                load(target, Path(folder) / DUMP, manifest.server, rights=True)
                compare(target, manifest)
            with engine.begin() as connection:
                held = connection.execute(_HOLD, {"note": NOTE}).rowcount
                sends = connection.execute(_OPEN_SENDS).scalar_one()
            shutil.copyfile(Path(folder) / MAILBOXES, settings.backup_folder / _WAITING)
            (settings.backup_folder / _WAITING).chmod(0o600)
    except SQLAlchemyError as error:
        raise BackupFailed(f"The database does not take it: {type(error).__name__}.") from None
    return Restored(manifest, held, sends)


def agree(settings: Settings, redis: "Redis", sends: Literal["send", "drop"]) -> tuple[int, int, int]:
    """Let everything that waits since a restore go on.

    Args:
        settings: where what waited in the mailboxes is.
        redis: where updates wait.
        sends: what becomes of what was not sent yet when the backup was made.

    Returns:
        How many bots go on, how many sends were dropped, and how many updates were put back into the mailboxes.
    """
    with get_engine("system").begin() as connection:
        dropped = connection.execute(_DROP).rowcount if sends == "drop" else 0
        count = connection.execute(_AGREE, {"note": NOTE}).rowcount
    waiting = settings.backup_folder / _WAITING
    updates = 0
    if waiting.is_file():
        with waiting.open("rb") as lines:
            updates = put_back(Keeper(redis, times_of(settings)), lines)
        waiting.unlink()
    return count, dropped, updates


@contextmanager
def _in_an_empty_place(engine: Engine, *, replace: bool) -> Iterator[None]:
    """What is there is put aside meanwhile: it goes if all went well, and comes back if not."""
    with engine.begin() as connection:
        if connection.execute(_TABLES).scalar_one() and not replace:
            raise InputError("to", "is a database that is not empty.", "Name an empty one, or say --replace.")
        ensure_roles(connection)
        connection.exec_driver_sql(f"DROP SCHEMA IF EXISTS {_ASIDE} CASCADE")
        connection.exec_driver_sql(f"ALTER SCHEMA public RENAME TO {_ASIDE}")
        connection.exec_driver_sql("CREATE SCHEMA public")
        connection.exec_driver_sql("GRANT USAGE ON SCHEMA public TO PUBLIC")
    try:
        yield
    except BaseException:
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP SCHEMA public CASCADE")
            connection.exec_driver_sql(f"ALTER SCHEMA {_ASIDE} RENAME TO public")
        raise
    with engine.begin() as connection:
        connection.exec_driver_sql(f"DROP SCHEMA {_ASIDE} CASCADE")
