"""What is known of one person, written down: all of theirs, nothing of others."""

import io
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from botyard.bots.registry import ServedBot
from botyard.cli import app
from botyard.errors import InputError
from botyard.exporting.person import bot_numbers, write_person
from tests.factories import TELEGRAM_ID, make_bot
from tests.integration.operations.planted import GROUP, OTTO, ZELDA, Plot
from tests.services import Services


@pytest.fixture
def bots(clean: Services) -> tuple[ServedBot, ServedBot]:
    made = make_bot(), make_bot(TELEGRAM_ID + 1)
    for bot in made:
        Plot(clean, bot).person(ZELDA, 200)
        Plot(clean, bot).person(OTTO, 100)
    return made


def document(*bots: ServedBot, who: int = ZELDA, customer: int = 1) -> tuple[int, Any]:
    target = io.BytesIO()
    found = write_person(customer, [bot.id for bot in bots], who, target)
    return found, orjson.loads(target.getvalue())


def test_everything_of_theirs_is_in_it_and_nobody_elses(bots: tuple[ServedBot, ServedBot]) -> None:
    found, told = document(bots[0])
    assert (told["format"], told["version"], told["userId"]) == ("botyard.person", 1, str(ZELDA))
    (one,) = told["bots"]
    assert one["bot"] == {"id": f"bot_{bots[0].id}", "telegramId": str(TELEGRAM_ID), "username": "test_bot"}
    counted = {name: len(rows) for name, rows in one.items() if name != "bot"}
    assert counted == {
        "users": 1, "chats": 1, "conversations": 3, "messages": 4, "updates": 2, "sends": 2, "jobs": 1,
        "deadLetters": 1, "events": 2,
    }  # fmt: skip
    assert found == sum(counted.values())
    assert {row["chat"] for row in one["messages"]} == {str(ZELDA), str(GROUP), f"b77:{ZELDA}"}
    assert not [word for word in ("Otto", "Blumenkohl", str(OTTO)) if word in str(told)]


def test_of_every_bot_of_a_customer_one_after_the_other(bots: tuple[ServedBot, ServedBot]) -> None:
    _, told = document(*bots)
    assert [one["bot"]["id"] for one in told["bots"]] == [f"bot_{bot.id}" for bot in bots]
    assert bot_numbers(1) == [bot.id for bot in bots]


def test_who_is_not_known_or_is_another_customers_is_told_nothing_of(bots: tuple[ServedBot, ServedBot]) -> None:
    assert document(bots[0], who=5)[0] == 0
    found, told = document(bots[0], customer=2)
    assert found == 0
    assert "Zelda" not in str(told)


def test_the_command_writes_it_and_says_who_is_not_known(bots: tuple[ServedBot, ServedBot], tmp_path: Path) -> None:
    to = tmp_path / "zelda.json"
    words = ["person", "export", str(ZELDA), "--to", str(to), "--bot", str(bots[0].id), "--json"]
    told = CliRunner().invoke(app, words)
    assert told.exit_code == 0, told.output
    assert orjson.loads(to.read_bytes())["userId"] == str(ZELDA)
    assert to.stat().st_mode & 0o777 == 0o600
    other = ["person", "export", "5", "--to", str(tmp_path / "nobody.json"), "--customer", "1"]
    assert isinstance(CliRunner().invoke(app, other).exception, InputError)
    assert list(tmp_path.iterdir()) == [to]
    assert isinstance(CliRunner().invoke(app, words[:5]).exception, InputError)


def test_the_command_erases_by_a_worker(bots: tuple[ServedBot, ServedBot], clean: Services) -> None:
    words = ["person", "erase", str(ZELDA), "--bot", str(bots[0].id), "--no-wait", "--json"]
    assert CliRunner().invoke(app, words).exit_code == 2
    told = CliRunner().invoke(app, [*words, "--yes"])
    assert told.exit_code == 0, told.output
    number = orjson.loads(told.stdout)["operation"]
    assert clean.superuser(f"SELECT kind, state FROM operations WHERE id = {number}") == [("person.erase", "queued")]  # noqa: S608
