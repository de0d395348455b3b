"""Backups in a bucket, and back in another database: nobody else reads them, and nothing is sent twice."""

import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
import redis
from moto.server import ThreadedMotoServer
from pyrage import x25519  # type: ignore[import-untyped]

from botyard.backups import nightly, restoring
from botyard.backups.bucket import Bucket, opened
from botyard.backups.errors import BackupFailed, NotProven
from botyard.backups.restoring import NOTE, agree, restore
from botyard.errors import InputError
from botyard.settings import Settings
from tests.integration.backups.conftest import CANARY
from tests.services import Services


@pytest.fixture
def identity() -> x25519.Identity:
    return x25519.Identity.generate()


@pytest.fixture
def server() -> Iterator[str]:
    made = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    made.start()
    host, port = made.get_host_and_port()
    yield f"http://{host}:{port}"
    made.stop()


@pytest.fixture
def stored(settings: Settings, server: str, identity: x25519.Identity) -> Settings:
    urllib.request.urlopen(urllib.request.Request(f"{server}/nights", method="PUT")).close()
    chosen = {
        "backup_s3_url": server, "backup_s3_bucket": "nights", "backup_s3_access_key": "an-id",
        "backup_s3_secret_key": "a-secret", "backup_recipient": str(identity.to_public()),
    }  # fmt: skip
    return Settings.model_validate({**settings.model_dump(), **chosen})


def test_what_is_in_the_bucket_opens_with_the_private_key_only(
    stored: Settings, raw_valkey: "redis.Redis", tmp_path: Path, identity: x25519.Identity
) -> None:
    row = nightly.carry_out(stored, raw_valkey, nightly.begin())
    assert (row.state, row.reason) == ("verified", None)
    assert row.stored_as == f"backups/{row.file}.age"
    fetched, key, out = tmp_path / "fetched", tmp_path / "key.txt", tmp_path / "out"
    Bucket(stored).get(row.stored_as, fetched)
    assert CANARY.encode() not in fetched.read_bytes()
    assert fetched.read_bytes().startswith(b"age-encryption.org/v1")
    key.write_text(f"# created: today\n{x25519.Identity.generate()}\n")
    with pytest.raises(BackupFailed, match=r"key\.txt does not open it: DecryptError"):
        opened(fetched, key, out)
    key.write_text(f"# created: today\n{identity}\n")
    opened(fetched, key, out)
    assert out.read_bytes() == nightly.file_of(stored, row).read_bytes()
    assert out.stat().st_mode & 0o777 == 0o600
    Bucket(stored).remove(row.stored_as)
    with pytest.raises(BackupFailed, match="does not give it"):
        Bucket(stored).get(row.stored_as, fetched)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"backup_recipient": None}, "Set BACKUP_RECIPIENT"),
        ({"backup_recipient": "age1nonsense"}, "is no public key of age"),
        ({"backup_s3_url": "http://127.0.0.1:9"}, "The bucket does not take it"),
        ({"backup_s3_bucket": "nowhere"}, "The bucket does not take it"),
    ],
)
def test_a_bucket_that_cannot_be_used_is_told_and_the_backup_stays_here(
    stored: Settings, raw_valkey: "redis.Redis", filled: Services, changes: dict[str, str | None], said: str
) -> None:
    row = nightly.carry_out(stored.model_copy(update=changes), raw_valkey, nightly.begin())
    assert said in (row.reason or "")
    assert (row.state, row.stored_as) == ("verified", None)
    assert nightly.file_of(stored, row).is_file()
    assert filled.superuser("SELECT count(*) FROM events WHERE type = 'backup.failed'") == [(1,)]


def statuses(services: Services, database: str) -> list[tuple[str, str | None]]:
    return [
        (status, why)
        for status, why in services.superuser("SELECT status, status_reason FROM bots ORDER BY id", database=database)
    ]


def test_a_restore_is_compared_and_everything_in_it_waits_for_a_person(
    settings: Settings, raw_valkey: "redis.Redis", filled: Services, empty_database: str
) -> None:
    filled.superuser("UPDATE bots SET status = 'paused' WHERE customer_id <> 1")
    row = nightly.carry_out(settings, raw_valkey, nightly.begin())
    found = restore(settings, nightly.file_of(settings, row), empty_database)
    assert (found.held, found.sends, found.manifest.waiting) == (2, 2, 3)
    assert statuses(filled, "elsewhere") == [("inactive", f"{NOTE}active"), ("inactive", f"{NOTE}paused")]
    assert filled.superuser("SELECT count(*) FROM messages", database="elsewhere") == [(1000,)]
    # Who may do what there is as it was.
    assert filled.superuser(
        "SELECT has_table_privilege('botyard_app', 'messages', 'INSERT')", database="elsewhere"
    ) == [(True,)]
    assert filled.superuser(
        "SELECT relforcerowsecurity FROM pg_class WHERE relname = 'messages'", database="elsewhere"
    ) == [(True,)]
    with pytest.raises(InputError, match="not empty"):
        restore(settings, nightly.file_of(settings, row), empty_database)
    assert restore(settings, nightly.file_of(settings, row), empty_database, replace=True).held == 2


@pytest.mark.parametrize(("sends", "left"), [("send", "queued"), ("drop", "dropped")])
def test_what_waits_goes_on_when_a_person_agrees(
    settings: Settings, raw_valkey: "redis.Redis", filled: Services, sends: Literal["send", "drop"], left: str
) -> None:
    row = nightly.carry_out(settings, raw_valkey, nightly.begin())
    restore(settings, nightly.file_of(settings, row), filled.owner_url, replace=True)
    raw_valkey.flushall()
    assert [status for status, _ in statuses(filled, "botyard")] == ["inactive", "inactive"]
    assert agree(settings, raw_valkey, sends) == (2, 2 if sends == "drop" else 0, 3)
    assert statuses(filled, "botyard") == [("active", None), ("active", None)]
    assert filled.superuser("SELECT DISTINCT state FROM outbox") == [(left,)]
    assert raw_valkey.lrange("by:box:4200000001:5", 0, -1)[0] == b'0 1 {"update_id": 1}'
    assert agree(settings, raw_valkey, sends) == (0, 0, 0)


def test_a_restore_that_fails_leaves_what_was_there(
    settings: Settings, raw_valkey: "redis.Redis", filled: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = nightly.carry_out(settings, raw_valkey, nightly.begin())

    def differs(*_: object) -> None:
        raise NotProven("Rows of the table messages differ.")

    monkeypatch.setattr(restoring, "compare", differs)
    with pytest.raises(NotProven):
        restore(settings, nightly.file_of(settings, row), filled.owner_url, replace=True)
    assert [status for status, _ in statuses(filled, "botyard")] == ["active", "active"]
    assert filled.superuser("SELECT count(*) FROM messages") == [(1000,)]
    assert filled.superuser("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'botyard%'") == []
