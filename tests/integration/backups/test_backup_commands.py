"""``botyard backup`` at a terminal, and what tells of backups without being asked."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from botyard.backups import nightly
from botyard.backups.errors import NotProven
from botyard.cli import app
from botyard.settings import Settings, get_settings
from botyard.sync import get_sync
from botyard.web import health
from tasks.backups import back_up
from tests.services import Services, environment


@pytest.fixture
def here(settings: Settings, filled: Services) -> Iterator[Settings]:
    told = {"BACKUP_DIR": str(settings.backup_dir), "BACKUP_VERIFY_URL": filled.postgres_url, "BACKUP_TIME": "00:00"}
    with environment(told):
        yield get_settings()


def ran(*words: str) -> Result:
    return CliRunner().invoke(app, words)


def as_json(*words: str) -> Any:
    found = ran(*words, "--json")
    assert found.exit_code == 0, found.output
    return json.loads(found.stdout.partition("\nEvery bot")[0])


def gauges() -> dict[str, float]:
    return {metric.name: metric.samples[0].value for metric in health._backup_gauges()}


def test_a_backup_from_its_making_to_its_restore(here: Settings, empty_database: str) -> None:
    assert "There is no backup." in ran("backup", "list").output
    made = as_json("backup", "now")
    assert (made["state"], made["reason"]) == ("verified", None)
    assert [one["backup"] for one in as_json("backup", "list")] == [made["backup"]]
    assert as_json("backup", "verify", str(made["backup"]))["state"] == "verified"
    file = str(here.backup_folder / made["file"])
    restored = as_json("backup", "restore", file, "--to", empty_database)
    assert (restored["bots_on_hold"], restored["sends_on_hold"], restored["waiting_updates"]) == (2, 2, 3)
    assert ran("backup", "restore", file, "--to", empty_database).exit_code == 1
    assert as_json("backup", "agree", "--sends", "drop")["bots"] == 0, "here nothing waits"


def test_processes_that_run_read_anew_what_was_restored_and_agreed(here: Settings, filled: Services) -> None:
    file = str(here.backup_folder / as_json("backup", "now")["file"])
    heard: list[str] = []
    end = get_sync().on("resync", lambda event, _: heard.append(event))
    as_json("backup", "restore", file, "--to", filled.owner_url, "--replace", "--yes")
    assert heard == ["resync"]
    assert as_json("backup", "agree", "--sends", "drop")["bots"] == 2
    assert heard == ["resync"] * 2
    end()


@pytest.mark.usefixtures("here")
def test_a_failure_is_an_exit_code_an_event_and_a_figure(filled: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    assert gauges() == {"backup_ok": 1.0}, "nothing is wrong where no night has come"
    as_json("backup", "now")
    filled.superuser("UPDATE backups SET snapshot_at = now() - interval '1 hour'")
    assert gauges()["backup_ok"] == 1.0
    assert 3590 < gauges()["backup_verified_age_seconds"] < 3700
    monkeypatch.setattr("botyard.backups.programs._candidates", lambda _: iter(()))
    failed = ran("backup", "now")
    assert failed.exit_code == 1
    assert "There is no pg_dump" in failed.output
    assert gauges()["backup_ok"] == 0.0
    assert gauges()["backup_verified_age_seconds"] > 3590, "the earlier one is still there"
    monkeypatch.setattr(health, "_BACKUPS", health._Backups())
    told = asyncio.run(health.health())
    assert told["status"] == "ok"
    assert told["backup"]["ok"] is False
    assert 3590 < told["backup"]["verifiedAgeSeconds"] < 3700


def test_the_task_makes_one_backup_a_night(here: Settings) -> None:  # noqa: ARG001 - the environment
    for _ in range(3):
        back_up.run()
    (row,) = nightly.backups()
    assert (row.night, row.state) == (datetime.now(UTC).date(), "verified")
    assert row.finished_at is not None
    assert row.finished_at - row.started_at < timedelta(minutes=1)


def test_a_file_that_is_not_there_or_no_backup_is_told(here: Settings, empty_database: str, tmp_path: Path) -> None:
    assert here.backup_folder
    (tmp_path / "x").write_bytes(b"nothing")
    for name in ("x", "missing"):
        found = ran("backup", "restore", str(tmp_path / name), "--to", empty_database)
        assert isinstance(found.exception, NotProven)
