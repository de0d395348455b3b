"""A bot in a zip: everything of it, at one moment, of one customer, and nothing that is secret."""

# ruff: noqa: S608 - statements with our own numbers and names

import csv
import io
import os
import zipfile
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from botyard.accounts.customers import add_customer
from botyard.bots.registry import ServedBot
from botyard.cli import app
from botyard.errors import InputError
from botyard.exporting.archive import write_archive
from botyard.exporting.operation import EXPORT_BOT, export_bot, exported, forget_files
from botyard.exporting.people_table import harmless
from botyard.importing.files import RecordFile
from botyard.importing.importer import run_import
from botyard.importing.people import Manner
from botyard.importing.report import Report
from botyard.importing.writing import Target
from botyard.media.store import MediaGone
from botyard.operations import Runner, Wanted, begin
from botyard.operations.reading import operation
from botyard.operations.running import run
from tests.factories import SECRET, TELEGRAM_ID, TOKEN, make_bot
from tests.integration.operations.planted import OTTO, ZELDA, Plot
from tests.services import Services


@pytest.fixture
def bot(clean: Services) -> ServedBot:
    made = make_bot()
    other = make_bot(TELEGRAM_ID + 1, customer_id=add_customer("other").id)
    Plot(clean, other).person(OTTO, 100)
    Plot(clean, made).person(ZELDA, 200)
    clean.superuser(
        f"INSERT INTO bot_days (bot_id, day, customer_id, updates) VALUES ({made.id}, '2026-11-01', 1, 5)",
        "INSERT INTO bot_configurations (bot_id, number, customer_id, configuration, actor)"
        f' VALUES ({made.id}, 1, 1, \'{{"settings": {{"greeting": "Hi"}}}}\', \'cli:ann\')',
        f'UPDATE conversations SET state = \'{{"z": 1, "a":\n 12345678901234567890123}}\' WHERE bot_id = {made.id}',
    )
    return made


def archive(bot: ServedBot, customer: int = 1) -> dict[str, bytes]:
    target = io.BytesIO()
    write_archive(customer, bot.id, target, lambda *_: None)
    with zipfile.ZipFile(target) as found:
        assert found.testzip() is None
        return {name: found.read(name) for name in found.namelist()}


def lines(files: dict[str, bytes], part: str) -> list[Any]:
    return [orjson.loads(line) for line in files[f"{part}.jsonl"].splitlines()]


def test_every_part_is_there_and_the_manifest_counts_it(bot: ServedBot) -> None:
    files = archive(bot)
    manifest = orjson.loads(files["manifest.json"])
    assert (manifest["format"], manifest["version"]) == ("botyard.bot", 1)
    assert manifest["bot"] == {"telegramId": str(TELEGRAM_ID), "username": "test_bot"}
    counted = {name: len(content.splitlines()) for name, content in files.items() if name.endswith(".jsonl")}
    assert manifest["lines"] == counted
    assert counted == {
        "configurations.jsonl": 1, "users.jsonl": 1, "chats.jsonl": 1, "conversations.jsonl": 3, "messages.jsonl": 5,
        "jobs.jsonl": 1, "schedules.jsonl": 0, "dead_letters.jsonl": 2, "days.jsonl": 1, "events.jsonl": 3,
    }  # fmt: skip
    (person,) = lines(files, "users")
    assert (person["userId"], person["firstName"], person["tags"]) == (str(ZELDA), "Zelda", ["vip"])
    assert person["attributes"] == {"phone": f"+{ZELDA}"}
    assert orjson.loads(files["bot.json"])["kind"] == "demo"


def test_what_a_bot_remembers_is_kept_to_the_letter(bot: ServedBot) -> None:
    (line, *_) = archive(bot)["conversations.jsonl"].decode().splitlines()
    assert '{"z": 1, "a":  12345678901234567890123}' in line


def test_nothing_secret_and_nothing_of_another_customer_is_in_it(bot: ServedBot, clean: Services) -> None:
    clean.superuser(f"UPDATE messages SET text = 'my token is {TOKEN}' WHERE direction = 'in'")
    everything = b"".join(archive(bot).values()).decode()
    for secret in (TOKEN, TOKEN.partition(":")[2], SECRET, f"public-{TELEGRAM_ID}", "Blumenkohl", str(OTTO)):
        assert secret not in everything
    with pytest.raises(InputError):
        archive(bot, customer=2)


def test_it_shows_one_moment_whatever_is_written_meanwhile(bot: ServedBot, clean: Services) -> None:
    begun: list[bool] = []

    class Target(io.BytesIO):
        def write(self, content: Any) -> int:
            if not begun:
                begun.append(True)
                clean.superuser("DELETE FROM events", "UPDATE bot_users SET first_name = 'Late'")
            return super().write(content)

    target = Target()
    write_archive(1, bot.id, target, lambda *_: None)
    with zipfile.ZipFile(target) as found:
        assert len(found.read("events.jsonl").splitlines()) == 3
        assert b"Late" not in found.read("users.jsonl")


@pytest.mark.parametrize("name", ["=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_no_spreadsheet_takes_a_name_for_a_formula(bot: ServedBot, clean: Services, name: str) -> None:
    clean.superuser(f"UPDATE bot_users SET first_name = E'{name}', username = NULL")
    table = list(csv.DictReader(io.StringIO(archive(bot)["users.csv"].decode(), newline="")))
    assert [row["firstName"] for row in table] == ["'" + name]
    assert harmless("Zelda =1") == "Zelda =1"


def made(bot: ServedBot) -> int:
    number = begin(Wanted(EXPORT_BOT, 1, bot.id))
    run(number, {EXPORT_BOT: Runner(export_bot, whole=True)})
    return number


def test_as_an_operation_its_file_is_kept_for_a_week(bot: ServedBot, settings: Any) -> None:
    number = made(bot)
    row = operation(number)
    assert row is not None
    assert (row.state, row.error, row.done, row.total) == ("done", None, 18, 18)
    with exported(row) as file, zipfile.ZipFile(file) as found:
        assert "users.jsonl" in found.namelist()
    assert forget_files() == 0
    # Files of other tests may lie there, too.
    (kept,) = Path(settings.media_folder, "operations").glob(f"??/??/{(row.result or {})['file']}")
    os.utime(kept, (1, 1))
    assert forget_files() == 1
    with pytest.raises(MediaGone):
        exported(row)


def test_imported_into_another_bot_it_restores_people_and_memory(bot: ServedBot, clean: Services) -> None:
    clean.superuser("""UPDATE conversations SET state = '{"data":{"z":1,"a":[2]}}'""")
    other = make_bot(TELEGRAM_ID + 5)
    target = io.BytesIO()
    write_archive(1, bot.id, target, lambda *_: None)
    target.seek(0)
    run_import(RecordFile(target, Report(), Manner()), Target(other.id, 1), Report(), lambda _: None)

    def kept(number: int) -> list[Any]:
        people = "user_id, first_name, last_name, username, language_code, tags, attributes"
        return [
            clean.superuser(f"SELECT {people} FROM bot_users WHERE bot_id = {number} ORDER BY user_id"),
            clean.superuser(f"SELECT scope, key, state::text FROM conversations WHERE bot_id = {number} ORDER BY 1, 2"),
        ]

    assert kept(other.id) == kept(bot.id)
    assert len(kept(bot.id)[1]) == 3


def test_the_command_writes_a_file_of_its_owners_and_none_over_another(bot: ServedBot, tmp_path: Path) -> None:
    target = tmp_path / "bot.zip"
    told = CliRunner().invoke(app, ["export", str(bot.id), "--to", str(target), "--json"])
    assert told.exit_code == 0, told.output
    assert orjson.loads(told.stdout)["messages"] == 5
    assert target.stat().st_mode & 0o777 == 0o600
    assert zipfile.is_zipfile(target)
    assert list(tmp_path.iterdir()) == [target]
    again = CliRunner().invoke(app, ["export", str(bot.id), "--to", str(target)])
    assert isinstance(again.exception, InputError)
    assert CliRunner().invoke(app, ["export", str(bot.id), "--to", str(target), "--replace"]).exit_code == 0
