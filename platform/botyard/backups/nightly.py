"""The night's backup, and one that somebody asks for: made, proven, kept elsewhere, and told when that fails."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import structlog
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import Integer, cast, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from botyard.backups.bucket import Bucket
from botyard.backups.errors import BackupFailed, NotProven
from botyard.backups.keeping import kept
from botyard.backups.making import make
from botyard.backups.verifying import verify
from botyard.events import BackupTrouble, record_of_customer
from botyard.settings import Settings
from db.engine import DATABASE_TROUBLE, get_engine, get_sessions
from db.models import Backup

log = structlog.get_logger(__name__)

_OPERATOR: Final = 1
"""The customer whose events the operator's are among."""
_BEGINNING: Final = timedelta(minutes=1)
"""So long it may take until whoever has begun holds the lock of the backup."""
_NEVER: Final = "never"
_MOST_TRIES: Final = 3
"""So often a night's backup begins anew that was cut off."""
_LOCK: Final = 7283642
_THERE: Final = ("made", "verified")
_CUT_OFF: Final = "It was cut off."


def claim(settings: Settings, now: datetime) -> int | None:
    """The backup that is to be made now, if its time has come and nobody else makes it; its number."""
    there = now.astimezone(ZoneInfo(settings.backup_zone))
    if settings.backup_time == _NEVER or there.strftime("%H:%M") < settings.backup_time:
        return None
    with get_sessions("system").begin() as session:
        _end_lost(session)
        made = (
            insert(Backup)
            .values(night=there.date(), state="running")
            .on_conflict_do_nothing(index_elements=["night"], index_where=Backup.night.is_not(None))
        )
        return session.scalar(made.returning(Backup.id))


def begin() -> int:
    """A backup that somebody asks for; its number."""
    with get_sessions("system").begin() as session:
        row = Backup(state="running")
        session.add(row)
        session.flush()
        return row.id


def carry_out(settings: Settings, redis: "Redis", number: int) -> Backup:
    """Make a backup, prove it, keep it elsewhere, and forget old ones. What fails is noted and told as an event."""
    with _at_work(number):
        _carry_out(settings, redis, number)
    return show(number)


def _carry_out(settings: Settings, redis: "Redis", number: int) -> None:
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{number}"
    try:
        file, digest, manifest = make(settings, redis, name)
        made = datetime.fromisoformat(manifest.made_at)
        _note(number, state="made", file=file.name, size=file.stat().st_size, sha256=digest, snapshot_at=made)
        verify(settings, file, digest)
        _note(number, state="verified", verified_at=func.now())
        if settings.backup_s3_url is not None:
            _note(number, stored_as=Bucket(settings).put(file))
    except (BackupFailed, NotProven) as error:
        _fail(number, str(error))
    except DATABASE_TROUBLE as error:
        _fail(number, f"The database: {type(error).__name__}.")
    except RedisError as error:
        _fail(number, f"Redis: {type(error).__name__}.")
    except Exception as error:  # whatever it was, its owner must hear that there is no backup
        log.exception("backup_broken", backup=number)
        _fail(number, f"An error of Botyard's own: {type(error).__name__}. The logs of the maintenance worker have it.")
    else:
        _note(number, finished_at=func.now())
        forget_old(settings)


@contextmanager
def _at_work(number: int) -> Iterator[None]:
    """While this lasts others see that somebody is at work: PostgreSQL forgets the lock of a process that dies."""
    with get_engine("system").connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("SELECT pg_advisory_lock(%s, %s)", (_LOCK, number))
        try:
            yield
        finally:
            connection.exec_driver_sql("SELECT pg_advisory_unlock(%s, %s)", (_LOCK, number))


def _end_lost(session: Session) -> None:
    """Backups whose process died are told; a night's begins anew."""
    free = func.pg_try_advisory_xact_lock(_LOCK, cast(Backup.id, Integer))
    open_ones = select(Backup.id).where(Backup.finished_at.is_(None), Backup.started_at < func.now() - _BEGINNING)
    lately = select(func.count()).where(Backup.reason == _CUT_OFF, Backup.started_at > func.now() - timedelta(hours=12))
    for number in session.scalars(open_ones).all():
        if not session.scalar(select(free).where(Backup.id == number)):
            continue
        tries = session.scalar(lately) or 0
        row = session.get_one(Backup, number)
        if row.state != "verified" and tries + 1 < _MOST_TRIES:
            row.night = None
        row.state = "failed" if row.state == "running" else row.state
        row.reason, row.finished_at = _CUT_OFF, datetime.now(UTC)
        record_of_customer(session, _OPERATOR, f"backup:{number}", BackupTrouble(_CUT_OFF))
        session.flush()


def prove(settings: Settings, number: int) -> Backup:
    """Prove a backup anew.

    Raises:
        NotProven: it is not what it should be; that is noted and told, too.
        BackupFailed: it cannot be tried here.
    """
    row = show(number)
    try:
        verify(settings, settings.backup_folder / (row.file or ""), row.sha256)
    except NotProven as error:
        _note(number, state="made", verified_at=None)
        _fail(number, str(error))
        raise
    except OSError as error:
        raise BackupFailed(f"Its file cannot be read: {error.strerror}.") from None
    _note(number, state="verified", verified_at=func.now(), reason=None)
    return show(number)


def forget_old(settings: Settings) -> int:
    """Remove what is not to be kept any more, here and in the bucket; how many."""
    with get_sessions("system")() as session:
        rows = session.scalars(select(Backup).where(Backup.state.in_(_THERE), Backup.snapshot_at.is_not(None))).all()
    proven = [row.snapshot_at for row in rows if row.state == "verified" and row.snapshot_at is not None]
    stay = kept(proven)
    newest = max(proven, default=None)
    count = 0
    for row in rows:
        # What is younger than the last proven one may be all there is of its time.
        if row.snapshot_at in stay or newest is None or (row.snapshot_at is not None and row.snapshot_at > newest):
            continue
        try:
            (settings.backup_folder / (row.file or "none")).unlink(missing_ok=True)
            if row.stored_as is not None and settings.backup_s3_url is not None:
                Bucket(settings).remove(row.stored_as)
        except (OSError, BackupFailed) as error:
            log.warning("backup_not_removed", backup=row.id, error=type(error).__name__)
            continue
        _note(row.id, state="removed")
        count += 1
    return count


def backups(limit: int = 100) -> list[Backup]:
    """The latest ones first."""
    with get_sessions("system")() as session:
        return list(session.scalars(select(Backup).order_by(Backup.id.desc()).limit(limit)).all())


def show(number: int) -> Backup:
    """One of them.

    Raises:
        BackupFailed: there is none of this number.
    """
    with get_sessions("system")() as session:
        row = session.get(Backup, number)
    if row is None:
        raise BackupFailed(f"There is no backup {number}. See `botyard backup list`.")
    return row


def file_of(settings: Settings, row: Backup) -> Path:
    """Where its file is."""
    return settings.backup_folder / (row.file or "")


def _note(number: int, **values: object) -> None:
    with get_sessions("system").begin() as session:
        session.execute(update(Backup).where(Backup.id == number).values(**values))


def _fail(number: int, why: str) -> None:
    log.error("backup_failed", backup=number, reason=why)
    with get_sessions("system").begin() as session:
        row = session.get_one(Backup, number)
        # What was made and is not proven is better than nothing: its file stays.
        row.state = "failed" if row.file is None else "made" if row.verified_at is None else row.state
        row.reason, row.finished_at = why, datetime.now(UTC)
        record_of_customer(session, _OPERATOR, f"backup:{number}", BackupTrouble(why))
