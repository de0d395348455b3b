"""Forgetting a person reaches every backup that is made afterwards."""

import re
import subprocess
from pathlib import Path

import redis

from botyard.backups import programs
from botyard.backups.archive import DUMP, MAILBOXES, unpack
from botyard.backups.making import make
from botyard.bots.registry import ServedBot
from botyard.settings import Settings
from tests.integration.operations.test_erasure import HER, HIM, bot, erase  # noqa: F401 - a fixture
from tests.services import Services


def told(services: Services, raw_valkey: "redis.Redis", folder: Path, who: re.Pattern[str]) -> dict[str, int]:
    """How often each part of a backup that is made now tells of somebody."""
    folder.mkdir()
    settings = Settings.model_validate({"backup_dir": folder, "backup_verify_url": services.postgres_url})
    file, digest, _ = make(settings, raw_valkey, "now")
    unpack(file, folder, digest)
    ((version,),) = services.superuser("SHOW server_version_num")
    restore = programs.program("pg_restore", int(version) // 10_000)
    dump = subprocess.run([restore, "--file=-", folder / DUMP], capture_output=True, check=True, text=True).stdout
    return {"dump": len(who.findall(dump)), "mailboxes": len(who.findall((folder / MAILBOXES).read_text()))}


def test_a_new_backup_tells_of_others_and_nothing_of_who_was_erased(
    clean: Services,
    raw_valkey: "redis.Redis",
    bot: ServedBot,  # noqa: F811 - the fixture
    tmp_path: Path,
) -> None:
    before = told(clean, raw_valkey, tmp_path / "before", HER)
    assert before["dump"] > 20
    assert before["mailboxes"] > 0
    erase(bot)
    assert told(clean, raw_valkey, tmp_path / "after", HER) == {"dump": 0, "mailboxes": 0}
    others = told(clean, raw_valkey, tmp_path / "others", HIM)
    assert min(others.values()) > 0
