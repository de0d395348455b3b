"""The commands about people and messages, as somebody at a terminal uses them."""

# ruff: noqa: S608 - statements with our own numbers and names

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from botyard.bots.registry import ServedBot
from botyard.cli import app
from botyard.errors import InputError
from botyard.media.store import store_of
from botyard.messages import waking
from botyard.settings import Settings
from tests.factories import FakeTickets, make_bot
from tests.services import Services


@pytest.fixture
def bot(clean: Services, monkeypatch: pytest.MonkeyPatch) -> ServedBot:
    monkeypatch.setattr(waking, "_tickets", FakeTickets)
    made = make_bot()
    clean.superuser(
        "INSERT INTO bot_users (bot_id, user_id, first_name, last_name, username, tags) VALUES"
        f" ({made.id}, 7, 'Ann', 'Lee', 'ann', '{{vip}}'), ({made.id}, 8, 'Bob', NULL, NULL, '{{}}')"
    )
    return made


def ran(*words: str) -> Result:
    return CliRunner().invoke(app, words)


def as_json(*words: str) -> Any:
    found = ran(*words, "--json")
    assert found.exit_code == 0, found.output
    return json.loads(found.stdout)


@pytest.mark.usefixtures("bot")
def test_people_are_listed_shown_and_tagged() -> None:
    assert [one["user"] for one in as_json("user", "list", "test_bot", "--tag", "VIP")] == [7]
    assert [one["name"] for one in as_json("user", "list", "test_bot", "--begins", "b", "--reachable")] == ["Bob"]
    tagged = as_json("user", "tag", "test_bot", "7", "Gold", "new", "--remove", "vip")
    assert tagged == {"user": 7, "tags": ["gold", "new"]}
    assert as_json("user", "show", "test_bot", "7")["tags"] == ["gold", "new"]
    assert "Ann Lee" in ran("user", "list", "test_bot").stdout
    unknown = ran("user", "show", "test_bot", "9")
    assert (unknown.exit_code, "never heard of 9" in unknown.stderr) == (1, True)


def test_a_message_is_put_into_the_outbox_and_stands_in_the_history(
    bot: ServedBot, clean: Services, settings: Settings, tmp_path: Path
) -> None:
    del bot
    picture = tmp_path / "a.jpg"
    picture.write_bytes(b"a picture")
    sent = as_json("send", "test_bot", "7", "look", "--photo", str(picture), "--wait", "0")
    assert (sent["state"], sent["method"], sent["lane"]) == ("queued", "sendPhoto", "scheduled")
    ((params,),) = clean.superuser("SELECT params FROM outbox")
    told = params["@files"]["photo"]
    assert (told["name"], told["type"], told["size"], params["caption"]) == ("a.jpg", "image/jpeg", 9, "look")
    with store_of(settings).open(told["sha256"]) as kept:
        assert kept.read() == b"a picture"
    said = as_json("messages", "test_bot", "7")
    assert [(one["text"], one["state"], one["send"]) for one in said] == [("look", "queued", sent["id"])]


def test_a_message_that_was_not_sent_and_one_that_cannot_be_end_the_command_with_1(
    bot: ServedBot, clean: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        clean.superuser("UPDATE outbox SET state = 'dead', error = 'chat not found', resolved_at = now()")

    monkeypatch.setattr(waking, "wake", refuse)
    dead = ran("send", "test_bot", "7", "hi")
    assert (dead.exit_code, "chat not found" in dead.stdout) == (1, True)
    clean.superuser(f"UPDATE bots SET status = 'inactive' WHERE id = {bot.id}")
    off = ran("send", "test_bot", "7", "hi")
    assert isinstance(off.exception, InputError)
    assert isinstance(ran("send", "test_bot", "7", "").exception, InputError)
