"""``botyard customer``, ``botyard audit`` and what lists bots: over the same services as the REST API."""

import json
from typing import Any

import pytest
import redis
from typer.testing import CliRunner

from botyard.cli import app
from botyard.errors import InputError
from tests.factories import TELEGRAM_ID
from tests.integration.api.callers import House, house
from tests.integration.api.telegram import errands
from tests.services import Services, environment


@pytest.fixture
def own(clean: Services) -> House:
    del clean
    return house("one", TELEGRAM_ID)


def run(*words: str) -> Any:
    """What a command shows, as JSON."""
    ran = CliRunner().invoke(app, [*words, "--json"])
    if ran.exception is not None and not isinstance(ran.exception, SystemExit):
        raise ran.exception
    return json.loads(ran.stdout)


def test_a_customer_is_renamed_removed_and_restored(own: House, clean: Services, valkey: "redis.Redis") -> None:
    assert run("customer", "rename", "one", "One & Sons")["name"] == "One & Sons"
    left = run("customer", "remove", "one", "--yes")
    assert (left["state"], left["bots"]) == ("removing", [own.bot.id])
    assert errands(valkey) == [("botyard.connect_bot", [own.bot.id])]
    listed = next(line for line in run("customer", "list") if line["username"] == "one")
    assert (listed["status"], listed["kept_until"]) == ("removing", left["kept_until"])
    assert run("customer", "restore", "one")["status"] == "active"
    assert clean.superuser("SELECT status FROM bots") == [("active",)]


@pytest.mark.parametrize("how", ["--now", "REMOVED_DATA_DAYS"])
def test_nothing_is_kept_if_that_is_said(own: House, valkey: "redis.Redis", how: str) -> None:
    with environment({} if how == "--now" else {how: "0"}):
        left = run("customer", "remove", "one", "--yes", *(["--now"] if how == "--now" else []))
    assert (left["state"], left["kept_until"]) == ("removing", None)
    assert errands(valkey) == [("botyard.remove_bot", [own.bot.id, own.id])]
    with pytest.raises(InputError, match="not kept any more"):
        run("customer", "restore", "one")


def test_a_removal_says_whether_it_can_be_taken_back(own: House) -> None:
    del own
    kept = CliRunner().invoke(app, ["customer", "remove", "one"])
    gone = CliRunner().invoke(app, ["customer", "remove", "one", "--now"])
    assert (kept.exit_code, gone.exit_code) == (2, 2)
    assert "For 30 days it can be restored." in kept.stderr
    assert "This cannot be undone." in gone.stderr


def test_bots_are_listed_and_changes_found_by_what_is_known_of_them(own: House, clean: Services) -> None:
    house("two", TELEGRAM_ID + 1)
    run("bot", "pause", str(own.bot.id), "--reason", "lunch")
    assert clean.superuser(f"SELECT status_reason FROM bots WHERE id = {own.bot.id}") == [("lunch",)]  # noqa: S608
    for words, count in (
        ((), 2), (("--customer", "one"), 1), (("--status", "paused"), 1), (("--kind", "demo"), 2),
        (("--begins", "@test"), 2), (("--begins", "shop"), 0),
    ):  # fmt: skip
        assert len(run("bot", "list", *words)) == count, words
    assert run("bot", "list", "--trouble")[0]["id"] == own.bot.id
    (paused,) = run("audit", "--customer", "one", "--entity", "bots", "--action", "updated")
    assert paused["after"]["status"] == "paused"
    assert run("audit", "--actor", "person:999") == []
    assert run("audit", "--since", "2099-01-01T00:00:00") == []
    assert run("bot", "days", str(own.bot.id)) == []
