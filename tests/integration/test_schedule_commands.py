"""``botyard schedule``, as somebody at a terminal uses it."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from botyard.cli import app
from botyard.errors import InputError
from tests.integration.schedules.tools import Planned, rows, work
from tests.services import Services

DAILY = ("schedule", "add", "test_bot", "daily", "Hi {{first_name|you}}", "--cron", "0 9 * * mon-fri")


@pytest.fixture(autouse=True)
def planned(clean: Services) -> Planned:  # noqa: ARG001 - the tables are empty
    made = Planned()
    made.people(7, 8, language="ru")
    return made


def ran(*words: str) -> Result:
    return CliRunner().invoke(app, words)


def as_json(*words: str) -> Any:
    found = ran(*words, "--json")
    assert found.exit_code == 0, found.output
    return json.loads(found.stdout)


def test_a_schedule_from_its_making_to_its_end(planned: Planned) -> None:
    assert as_json(*DAILY, "--dry-run")["schedule"] is None
    made = as_json(*DAILY, "--to", "7", "--zone", "Europe/Berlin", "--quiet", "03:00-04:00", "--cap", "2")
    assert len(made["moments"]) == 5
    number = str(made["schedule"])
    (line,) = as_json("schedule", "list", "test_bot")
    assert (line["name"], line["state"], line["when"]) == ("daily", "on", "cron 0 9 * * mon-fri")
    assert ":00+0" in ran("schedule", "show", "test_bot", number).stdout
    assert as_json("schedule", "run", "test_bot", number)["run"]
    work()
    assert planned.sends() == [("7", "Hi P7")]
    (one,) = as_json("schedule", "history", "test_bot", number)
    assert (one["state"], one["planned"], one["outcomes"]) == ("done", 1, {"queued": 1})
    paused = as_json("schedule", "pause", "test_bot", number)
    assert (paused["state"], paused["taken_back"], paused["moments"]) == ("paused", 1, [])
    assert as_json("schedule", "resume", "test_bot", number)["state"] == "on"
    assert as_json("schedule", "remove", "test_bot", number, "--yes")["state"] == "removed"
    assert as_json("schedule", "list", "test_bot") == []


def test_texts_of_several_languages_are_named_and_one_may_have_an_equals_sign(planned: Planned) -> None:
    as_json("schedule", "add", "test_bot", "a", "en=Hi", "ru=Привет", "--silence", "48")
    as_json("schedule", "add", "test_bot", "b", "1+1=2", "--every", "3600")
    assert rows("SELECT content->'texts' FROM schedules ORDER BY id") == [
        ({"en": "Hi", "ru": "Привет"},), ({"en": "1+1=2"},),
    ]  # fmt: skip
    assert planned.sends() == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "exactly one of --at, --cron, --every and --silence"),
        (("--every", "60", "--silence", "9"), "exactly one of --at, --cron, --every and --silence"),
        (("--every", "60", "--command", "/digest"), "either what is to be sent, or --command"),
    ],
)
def test_a_schedule_has_one_kind_of_moments(words: tuple[str, ...], said: str) -> None:
    found = ran("schedule", "add", "test_bot", "a", "hi", *words)
    assert found.exit_code == 2
    assert said in found.output


def test_what_makes_no_sense_names_the_field() -> None:
    for words, field in ((("--every", "5"), "when.seconds"), (("--every", "60", "--zone", "Mars"), "time_zone"),
                         (("--every", "60", "--quiet", "x"), "quiet_hours")):  # fmt: skip
        found = ran("schedule", "add", "test_bot", "a", "hi", *words)
        assert isinstance(found.exception, InputError)
        assert found.exception.field == field


def test_a_schedule_that_is_not_there_is_said_to_be_so() -> None:
    found = ran("schedule", "show", "test_bot", "99")
    assert (found.exit_code, "has no schedule 99" in found.output) == (1, True)


@pytest.mark.parametrize(("answer", "kept"), [("n\n", 0), ("y\n", 1)])
def test_at_a_terminal_the_next_moments_are_shown_before_it_is_kept(
    monkeypatch: pytest.MonkeyPatch, answer: str, kept: int
) -> None:
    monkeypatch.setattr("typer.testing._NamedTextIOWrapper.isatty", lambda _: True, raising=False)
    found = CliRunner().invoke(app, DAILY, input=answer)
    before, asked, _ = found.output.partition("Keep it?")
    assert asked
    assert before.count(":00+00:00") == 5
    assert rows("SELECT count(*) FROM schedules") == [(kept,)]
