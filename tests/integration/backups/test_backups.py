"""Backups: made while others write, proven by restoring them, and refused when anything of them is not as it was."""

import contextlib
import random
import shutil
import tarfile
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import psycopg2
import pytest
import redis

from botyard.backups import nightly, programs
from botyard.backups.age import age
from botyard.backups.archive import DUMP, sha256_of
from botyard.backups.errors import BackupFailed, NotProven
from botyard.backups.verifying import verify
from botyard.settings import Settings
from db.models import Backup
from tests.services import Services


def backed_up(settings: Settings, raw_valkey: "redis.Redis") -> Backup:
    return nightly.carry_out(settings, raw_valkey, nightly.begin())


def scratch_databases(services: Services) -> list[tuple[Any, ...]]:
    return services.superuser(
        "SELECT datname FROM pg_database WHERE datname LIKE 'botyard_proof%'", database="postgres"
    )


def test_a_backup_made_under_load_is_of_one_moment_and_proven(
    settings: Settings, raw_valkey: "redis.Redis", filled: Services
) -> None:
    over, written = threading.Event(), list[None]()

    def write(number: int) -> None:
        with contextlib.closing(psycopg2.connect(filled.owner_url)) as connection:
            connection.autocommit = True
            while not over.is_set():
                written.append(None)
                # No two of them touch the same rows, or one would be ended as a deadlock's victim.
                connection.cursor().execute("UPDATE messages SET text = text || 'x' WHERE id %% 2 = %s", [number])
                connection.cursor().execute("INSERT INTO events (customer_id, type, entity, actor, data)"
                                            " VALUES (1, 'test', 'x', 'x', '{}')")  # fmt: skip

    writers = [threading.Thread(target=write, args=(number,)) for number in range(2)]
    for writer in writers:
        writer.start()
    try:
        row = backed_up(settings, raw_valkey)
    finally:
        over.set()
        for writer in writers:
            writer.join(30)
    assert len(written) > 20, "there was a load"
    assert (row.state, row.reason) == ("verified", None)
    file = nightly.file_of(settings, row)
    assert (row.size, row.sha256) == (file.stat().st_size, sha256_of(file))
    assert file.stat().st_mode & 0o777 == 0o600
    assert scratch_databases(filled) == []
    with tarfile.open(file) as packed:
        manifest = orjson.loads(packed.extractfile("manifest.json").read())  # type: ignore[union-attr]
    assert (manifest["waiting"], manifest["tables"]["messages"][0]) == (3, "1000")
    assert [one.name for one in settings.backup_folder.iterdir()] == [file.name], "nothing else is left there"
    found = age()
    assert found.snapshot_at == row.snapshot_at
    assert found.trouble is None


def test_fifty_corruptions_are_all_found(settings: Settings, raw_valkey: "redis.Redis", tmp_path: Path) -> None:
    row = backed_up(settings, raw_valkey)
    whole = nightly.file_of(settings, row).read_bytes()
    dice, broken = random.Random(5), tmp_path / "broken"
    for number in range(50):
        content = bytearray(whole)
        if number % 3:
            content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
        else:
            del content[dice.randrange(len(content)) :]
        broken.write_bytes(content)
        with pytest.raises(NotProven):
            verify(settings, broken, row.sha256)


def _changed(file: Path, tmp_path: Path, change: Callable[[Path, dict[str, Any]], None]) -> Path:
    """The same backup with something else in it, of which its own sums are right."""
    folder = tmp_path / "changed"
    with tarfile.open(file) as packed:
        packed.extractall(folder, filter="data")
    manifest = orjson.loads((folder / "manifest.json").read_bytes())
    change(folder, manifest)
    manifest["files"][DUMP] = sha256_of(folder / DUMP)
    (folder / "manifest.json").write_bytes(orjson.dumps(manifest))
    made = tmp_path / "made"
    with tarfile.open(made, "w") as packed:
        for name in sorted(path.name for path in folder.iterdir()):
            packed.add(folder / name, name)
    return made


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM messages WHERE id = (SELECT min(id) FROM messages)", "messages has 999 rows instead of 1000"),
        ("UPDATE messages SET text = 'y' WHERE chat_key = '1'", "Rows of the table messages differ"),
        ("DROP TABLE keyboards", "keyboards is missing"),
        ("CREATE TABLE more (a int)", "a table more that was not there"),
        ("UPDATE alembic_version SET version_num = '0001'", "migration 0001"),
    ],
)  # fmt: skip
def test_a_dump_of_something_else_is_not_proven_whatever_its_sums_say(
    settings: Settings, raw_valkey: "redis.Redis", filled: Services, tmp_path: Path, empty_database: str,
    statement: str, said: str,
) -> None:  # fmt: skip
    row = backed_up(settings, raw_valkey)
    file = nightly.file_of(settings, row)
    with tarfile.open(file) as packed:
        packed.extract(DUMP, tmp_path, filter="data")
    ((version,),) = filled.superuser("SHOW server_version_num")
    tools = {name: programs.program(name, int(version) // 10_000) for name in ("pg_dump", "pg_restore")}
    programs.run(
        tools["pg_restore"],
        empty_database,
        ["--schema=public", "--no-owner", "--no-privileges", "--dbname=elsewhere", tmp_path / DUMP],
    )
    filled.superuser(statement, database="elsewhere")

    def change(folder: Path, _: dict[str, Any]) -> None:
        programs.run(tools["pg_dump"], empty_database, ["--format=custom", f"--file={folder / DUMP}"])

    with pytest.raises(NotProven, match=said):
        verify(settings, _changed(file, tmp_path, change))
    assert scratch_databases(filled) == []


def test_what_is_no_backup_is_refused(settings: Settings, tmp_path: Path) -> None:
    settings.backup_folder.mkdir()
    for content in (b"", b"x" * 5000, b"PK\x03\x04"):
        (tmp_path / "x").write_bytes(content)
        with pytest.raises(NotProven, match="no whole backup"):
            verify(settings, tmp_path / "x")


def trouble(services: Services) -> list[str]:
    return [why for (why,) in services.superuser("SELECT data->>'reason' FROM events WHERE type = 'backup.failed'")]


def test_a_full_disk_is_told_before_anything_is_written(
    settings: Settings, raw_valkey: "redis.Redis", filled: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil._ntuple_diskusage(100 << 20, 99 << 20, 1 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    row = backed_up(settings, raw_valkey)
    assert row.state == "failed"
    assert "1 MB free" in (row.reason or "")
    assert trouble(filled) == [row.reason]
    assert list(settings.backup_folder.iterdir()) == []
    assert age().trouble == row.reason


def test_programs_that_are_too_old_or_missing_are_named(
    settings: Settings, raw_valkey: "redis.Redis", filled: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "_candidates", lambda _: iter(()))
    assert "There is no pg_dump for PostgreSQL" in (backed_up(settings, raw_valkey).reason or "")
    monkeypatch.setattr(programs, "_candidates", lambda _: iter([Path("/old/pg_dump")]))
    monkeypatch.setattr(programs, "_major", lambda _: 9)
    assert "only of version 9" in (backed_up(settings, raw_valkey).reason or "")
    assert len(trouble(filled)) == 2


def test_the_application_role_cannot_make_one(settings: Settings, raw_valkey: "redis.Redis", filled: Services) -> None:
    wrong = settings.model_copy(update={"database_system_url": settings.database_url})
    row = backed_up(wrong, raw_valkey)
    assert row.state == "failed"
    assert "pg_dump ended with code" in (row.reason or "")
    assert "password" not in (row.reason or "")
    assert len(trouble(filled)) == 1


def test_one_that_cannot_be_proven_stays_and_is_told(
    settings: Settings, raw_valkey: "redis.Redis", filled: Services
) -> None:
    nowhere = settings.model_copy(update={"backup_verify_url": None, "database_owner_url": None})
    row = backed_up(nowhere, raw_valkey)
    assert (row.state, row.verified_at) == ("made", None)
    assert nightly.file_of(settings, row).is_file()
    assert "BACKUP_VERIFY_URL" in trouble(filled)[0]
    assert age().verified_at is None
    assert nightly.prove(settings, row.id).state == "verified"
    nightly.file_of(settings, row).write_bytes(b"something else")
    with pytest.raises(NotProven, match="SHA-256"):
        nightly.prove(settings, row.id)
    assert nightly.show(row.id).state == "made"
    assert age().verified_at is None, "it counts no longer"
    with pytest.raises(BackupFailed, match="no backup 99"):
        nightly.prove(settings, 99)


def test_a_night_has_one_backup_whoever_looks_and_none_before_its_time(settings: Settings) -> None:
    berlin = settings.model_copy(update={"backup_zone": "Europe/Berlin"})
    early, late = (datetime(2026, 7, 1, hour, 1, tzinfo=UTC) for hour in (23, 0))
    assert nightly.claim(berlin, late - timedelta(minutes=2)) is None, "it is one hour and 59 minutes there"
    claimed: list[int | None] = []
    threads = [threading.Thread(target=lambda: claimed.append(nightly.claim(berlin, late))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len([one for one in claimed if one is not None]) == 1
    assert nightly.claim(berlin, early) is None, "the next night has not come to its time"
    assert nightly.claim(berlin, early + timedelta(hours=1)) is not None


def test_an_installation_whose_backups_are_made_elsewhere_makes_none(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BACKUP_TIME", "never")
    never = settings.model_copy(update={"backup_time": Settings().backup_time})
    assert nightly.claim(never, datetime(2026, 7, 1, 23, tzinfo=UTC)) is None


def test_a_backup_whose_worker_was_killed_is_told_and_the_night_begins_anew(
    settings: Settings, filled: Services
) -> None:
    night = datetime.now(UTC).replace(hour=3)
    first = nightly.claim(settings, night)
    assert first is not None
    filled.superuser("UPDATE backups SET started_at = now() - interval '2 minutes'")
    with nightly._at_work(first):
        assert nightly.claim(settings, night) is None, "somebody is at work"
    assert trouble(filled) == []
    second = nightly.claim(settings, night)
    assert second is not None
    assert (nightly.show(first).state, nightly.show(first).reason) == ("failed", "It was cut off.")
    assert trouble(filled) == ["It was cut off."]
    for _ in range(5):
        filled.superuser("UPDATE backups SET started_at = now() - interval '2 minutes'")
        nightly.claim(settings, night)
    assert len(nightly.backups()) == 3, "a night is not tried for ever"
    assert len(trouble(filled)) == 3


def test_whatever_goes_wrong_is_told(
    settings: Settings, raw_valkey: "redis.Redis", filled: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    for error in (redis.ConnectionError("away"), ZeroDivisionError()):

        def broken(*_: object, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(nightly, "make", broken)
        assert type(error).__name__ in (backed_up(settings, raw_valkey).reason or "")
    assert len(trouble(filled)) == 2


def test_old_ones_go_and_nothing_goes_while_nothing_newer_is_proven(
    settings: Settings, raw_valkey: "redis.Redis", filled: Services
) -> None:
    row = backed_up(settings, raw_valkey)
    filled.superuser(
        "INSERT INTO backups (state, file, snapshot_at, verified_at) SELECT 'verified', 'old-' || n,"
        " now() - n * interval '1 day', now() FROM generate_series(1, 60) n"
    )
    filled.superuser(
        "INSERT INTO backups (state, file, snapshot_at) VALUES ('made', 'unproven', now() + interval '1 hour')"
    )
    for name in ("unproven", *(f"old-{number}" for number in range(1, 61))):
        (settings.backup_folder / name).touch()
    removed = nightly.forget_old(settings)
    assert 45 <= removed <= 52
    left = {path.name for path in settings.backup_folder.iterdir()}
    assert len(left) == 62 - removed
    assert {row.file, "unproven", *(f"old-{number}" for number in range(1, 7))} <= left
    assert nightly.forget_old(settings) == 0
