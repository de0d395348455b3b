"""Many bots at once: each in its turn, whatever becomes of the others, and again without harm."""

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest
from redis import Redis
from typer.testing import CliRunner

from botyard.accounts import batch_adding
from botyard.accounts.batch_adding import add_bots
from botyard.accounts.batches import ADD_BOTS, BotLine, adding
from botyard.accounts.customers import add_customer
from botyard.cli import app
from botyard.commands.bot_file import read_lines
from botyard.errors import InputError
from botyard.operations import Runner, begin, work
from botyard.operations.ending import cancel
from botyard.operations.reading import operation
from botyard.operations.running import run
from botyard.settings import get_settings
from tests.factories import make_bot
from tests.services import Services
from tests.unit.simulator.process import Client

FIRST = 4_600_000_001


def token(number: int) -> str:
    return f"{FIRST + number}:AAEhBOweik6ad6PsWZGUUUvE8nsXTWZl0aM"


@pytest.fixture
async def telegram(client: Client, clean: Services, monkeypatch: pytest.MonkeyPatch) -> Client:
    """Knows three bots."""
    for number in range(3):
        await client.post("/sim/bots", token=token(number), username=f"own_{number}_bot", name=f"Own {number}")
        await client.get(f"/bot{token(number)}/deleteWebhook")
    monkeypatch.setenv("API_URL", client.url)
    get_settings.cache_clear()
    assert clean
    return client


def ran(number: int) -> dict[str, Any]:
    while run(number, {ADD_BOTS: Runner(add_bots)}):
        pass
    row = operation(number)
    assert row is not None
    assert (row.state, row.error, row.done) == ("done", None, row.total)
    return row.result or {}


async def in_thread(number: int) -> dict[str, Any]:
    return await asyncio.to_thread(ran, number)


async def test_each_is_added_or_told_why_not(telegram: Client) -> None:
    owner = add_customer("acme").id
    make_bot(FIRST + 1, customer_id=owner, token=token(1), api_url=telegram.url)
    lines = [BotLine(token(0), label="one"), BotLine(token(1)), BotLine(f"{FIRST + 9}:{'x' * 35}"), BotLine(token(2))]
    told = await in_thread(begin(adding(owner, lines)))
    assert (told["added"], told["here"], told["failed"]) == (2, 1, 1)
    assert [(one["result"], one["botId"] is not None) for one in told["bots"]] == [
        ("added", True), ("here", True), ("failed", False), ("added", True),
    ]  # fmt: skip
    assert told["bots"][0]["label"] == "one"
    assert "not accepted by Telegram" in told["bots"][2]["says"]


async def test_tokens_stand_nowhere_in_clear_and_are_gone_at_the_end(telegram: Client, clean: Services) -> None:
    assert telegram
    number = begin(adding(1, [BotLine(token(0))]))
    (request,) = clean.superuser("SELECT request::text FROM operations")[0]
    assert token(0).partition(":")[2] not in request
    assert str(FIRST) in request
    await in_thread(number)
    assert clean.superuser("SELECT request FROM operations") == [({},)]
    other = begin(adding(1, [BotLine(token(1))]))
    cancel(other)
    assert clean.superuser(f"SELECT request FROM operations WHERE id = {other}") == [({},)]  # noqa: S608


async def test_put_off_after_each_it_goes_on_with_the_next(telegram: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    assert telegram
    monkeypatch.setattr(work, "SLICE_SECONDS", 0.0)
    told = await in_thread(begin(adding(1, [BotLine(token(number)) for number in range(3)])))
    assert [one["result"] for one in told["bots"]] == ["added"] * 3


async def test_a_permit_is_waited_for_as_long_as_it_takes(
    telegram: Client, monkeypatch: pytest.MonkeyPatch, valkey: "Redis"
) -> None:
    """The budget of this minute is spent, and will be for longer than somebody at a form would wait."""
    monkeypatch.setenv("FIRST_CONTACTS", "127.0.0.1=1/100")
    get_settings.cache_clear()
    assert telegram
    seconds, micro = valkey.time()
    valkey.zadd("by:first:127.0.0.1", {"another": (seconds - 54) * 1000 + micro // 1000})
    told = await in_thread(begin(adding(1, [BotLine(token(0))])))
    assert [one["result"] for one in told["bots"]] == ["added"]


@pytest.mark.parametrize(
    ("lines", "field"),
    [
        ([], "bots"),
        ([BotLine(token(0)), BotLine("nonsense")], "bots.1.token"),
        ([BotLine(token(0)), BotLine(token(0))], "bots.1.token"),
        ([BotLine(token(0), kind="/etc/passwd")], "bots.0.kind"),
        ([BotLine(token(0), kind="os.system")], "bots.0.kind"),
        ([BotLine(token(number)) for number in range(201)], "bots"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_done(clean: Services, lines: list[BotLine], field: str) -> None:
    assert clean
    with pytest.raises(InputError) as error:
        adding(1, lines)
    assert error.value.field == field
    assert "AAEh" not in str(error.value)


async def test_the_command_adds_from_a_file_skips_what_is_here_and_ends_with_one_for_failures(
    telegram: Client, tmp_path: Path
) -> None:
    assert telegram
    file = tmp_path / "bots.csv"
    file.write_text(f"token,name,queue\n{token(0)},First,updates\n{FIRST + 9}:{'x' * 35},Gone,\n")
    told = await asyncio.to_thread(CliRunner().invoke, app, ["bot", "add", "--from", str(file), "--json"])
    assert told.exit_code == 1, told.output
    rows = orjson.loads(told.stdout)
    assert [(row["name"], row["result"]) for row in rows] == [("First", "added"), ("Gone", "failed")]
    lines = tmp_path / "bots.jsonl"
    lines.write_text("\n".join(orjson.dumps({"token": token(number)}).decode() for number in range(2)))
    again = await asyncio.to_thread(CliRunner().invoke, app, ["bot", "add", "--from", str(lines), "--json"])
    assert again.exit_code == 0, again.output
    assert [row["result"] for row in orjson.loads(again.stdout)] == ["here", "added"]
    assert token(0) not in told.output + again.output


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "token,typo\n1:a,b\n"), ("a.csv", "token\nnonsense\n"), ("a.jsonl", "[]\n"), ("a.jsonl", "{\n"),
        ("a.txt", ""), ("a.jsonl", '{"token": 5}'), ("a.csv", f"token,queue\n{token(0)},fast\n"),
        ("a.csv", f"token\n{token(0)}\n{token(0)}\n"), ("a.csv", f"token,customer\n{token(0)},nobody\n"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_named_before_anything_is_added(
    clean: Services, tmp_path: Path, name: str, content: str
) -> None:
    assert clean
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError) as error:
        read_lines(tmp_path / name)
    assert "AAEh" not in str(error.value)


def test_a_bot_api_that_is_away_fails_the_line_and_not_the_rest(
    clean: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert clean
    monkeypatch.setenv("API_URL", "http://127.0.0.1:1")
    monkeypatch.setattr(batch_adding, "_REST_SECONDS", 0.01)
    get_settings.cache_clear()
    told = ran(begin(adding(1, [BotLine(token(number)) for number in range(2)])))
    assert [one["result"] for one in told["bots"]] == ["failed"] * 2
    assert "127.0.0.1" in told["bots"][0]["says"]
