"""`botyard endpoint` and `botyard events`."""

import json
from typing import Any

from typer.testing import CliRunner

from botyard.cli import app
from botyard.endpoints.sending import Sender
from botyard.events import BotRestarted
from tests.factories import make_bot
from tests.integration.endpoints.receiver import Receiver, happen, send_all


def run(*words: str) -> Any:
    ran = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
    assert ran.exit_code == 0, ran.output
    return json.loads(ran.stdout)


async def test_an_endpoint_from_the_first_test_to_its_removal(sender: Sender, receiver: Receiver) -> None:
    bot = make_bot()
    made = run("endpoint", "add", receiver.url(), "--type", "bot.stopped", "--bot", "test_bot", "--description", "mine")
    assert (made["id"], made["bots"], made["types"]) == ("end_1", f"bot_{bot.id}", "bot.stopped")
    sent = run("endpoint", "test", "1")
    await send_all(sender)
    assert receiver.got[0].verified(made["secret"])["type"] == "endpoint.test"
    shown = run("endpoint", "show", "end_1")
    assert "secret" not in shown
    assert [(one["id"], one["state"]) for one in shown["messages"]] == [(sent["id"], "delivered")]
    assert run("endpoint", "show", "1", "--message", sent["id"])["log"][0]["status"] == 200
    assert run("endpoint", "resend", sent["id"])["state"] == "waiting"
    assert [one["url"] for one in run("endpoint", "list", "--customer", "default")] == [receiver.url()]
    run("endpoint", "remove", "1", "--yes")
    assert run("endpoint", "list") == []


def test_events_are_listed_the_latest_or_those_behind_one(receiver: Receiver) -> None:
    del receiver
    bot = make_bot()
    happen(bot.id, count=3)
    happen(bot.id, BotRestarted())
    latest = run("events", "--limit", "2")
    assert [one["type"] for one in latest] == ["bot.stopped", "bot.restarted"]
    assert run("events", "--after", latest[0]["id"]) == latest[1:]
    assert len(run("events", "--type", "bot.stopped", "--bot", "test_bot")) == 3


def test_what_is_not_there_is_said(receiver: Receiver) -> None:
    del receiver
    for words in (("endpoint", "show", "7"), ("endpoint", "test", "x"), ("endpoint", "resend", "msg_9")):
        ran = CliRunner().invoke(app, list(words))
        assert ran.exit_code != 0
        assert "there is no" in str(ran.exception) or "is no number" in str(ran.exception)
