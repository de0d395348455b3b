"""Real files and keys of python-telegram-bot and aiogram, brought into a bot as somebody at a terminal does."""

import json
import os
import pickle
import subprocess
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
import redis
from telegram import Chat, Message, User
from telegram.ext import ExtBot, PicklePersistence
from typer.testing import CliRunner

from botyard.accounts.customers import add_customer
from botyard.cli import app
from botyard.errors import BotyardError
from botyard.exporting.archive import write_archive
from botyard.state.codec import Codec
from tests.e2e.yard import wait_until
from tests.factories import TELEGRAM_ID, TOKEN, make_bot
from tests.services import Services

FIXTURES = Path(__file__).parents[1] / "unit" / "importing"
NUMBER, BUTTON = "a" * 32, "b" * 32


class Step(Enum):
    ADDRESS = "address"


@dataclass
class Cart:
    items: list[str] = field(default_factory=list)


VALUES: dict[Any, Any] = {
    "plain": [1, 2.5, None, True, "é\0", 2**70], "cart": Cart(["tea"]), "when": datetime(2026, 7, 2, tzinfo=UTC),
    "local": datetime(2026, 7, 2, tzinfo=ZoneInfo("Europe/Berlin")), "period": timedelta(1, 2, 3),
    "price": Decimal("2.50"), "third": Fraction(1, 3), "id": UUID(int=5), "seen": {1, 2}, "fixed": frozenset({3}),
    "pair": (1, (2, "x")), "raw": b"\xff", "changing": bytearray(b"x"), "ordered": OrderedDict(b=1, a=2),
    "counted": Counter("aab"), "by_default": defaultdict(list, {1: [2]}), "last": deque([1, 2], 5),
    "space": SimpleNamespace(a=1), "numbers": range(1, 9, 2), "where": Path("/x/y"), 5: {None: "odd keys", (1, 2): "t"},
}  # fmt: skip

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(clean: Services) -> Run:  # noqa: ARG001 - the command finds it in the environment
    """`botyard import` with --json."""
    make_bot()

    def run(*words: object) -> dict[str, Any]:
        done = CliRunner().invoke(app, ["import", *map(str, words), "--json"], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    return run


async def persisted(path: Path, *, single: bool) -> PicklePersistence[Any, Any, Any]:
    """What a bot of python-telegram-bot leaves behind."""
    made: PicklePersistence[Any, Any, Any] = PicklePersistence(path, single_file=single)
    bot = ExtBot(TOKEN, arbitrary_callback_data=True)
    made.set_bot(bot)
    said = Message(
        5, datetime(2026, 1, 1, tzinfo=UTC), Chat(11, "private"), from_user=User(11, "Ann", False), text="hi"
    )
    said.set_bot(bot)
    await made.update_user_data(11, VALUES | {"said": said, "bot": bot})
    await made.update_chat_data(-200, {"topic": "tea"})
    await made.update_bot_data({"total": 7})
    await made.update_conversation("order", (11, 11), "ADDRESS")
    await made.update_conversation("vote", (-200, 11), 2)
    await made.update_conversation("mine", (11,), 3)
    await made.update_callback_data(([(NUMBER, 1.7e9, {BUTTON: ("buy", 1)})], {}))
    await made.flush()
    return made


def memory(clean: Services) -> dict[tuple[str, str], Any]:
    return {(scope, key): state for scope, key, state in clean.superuser("SELECT scope, key, state FROM conversations")}


@pytest.mark.parametrize("single", [True, False])
async def test_what_pickle_persistence_kept_is_what_the_bot_remembers(
    run: Run, clean: Services, tmp_path: Path, *, single: bool
) -> None:
    path = tmp_path / "kept"
    bot = (await persisted(path, single=single)).bot
    told = run(path if single else f"{path}_user_data", "--of-users", "mine")
    assert told["skipped"] == {}
    assert told["counts"] == {
        "people": {"new": 1}, "user_data": {"new": 1}, "chat_data": {"new": 2}, "bot_data": {"new": 1},
        "buttons": {"new": 1, "same": 0},
    }  # fmt: skip
    assert {note.partition(":")[0] for note in told["notes"]} == {f"objects of {__name__}"}
    found = memory(clean)
    codec = Codec(bot=bot)
    ann = codec.load(found["user", "11"])
    assert {name: ann.data[name] for name in VALUES} == VALUES
    assert [type(ann.data[name]) for name in VALUES] == [type(value) for value in VALUES.values()]
    assert ann.data["said"].from_user.first_name == "Ann"
    assert ann.data["said"].to_dict() == {**ann.data["said"].to_dict(), "text": "hi", "message_id": 5}
    assert ann.data["bot"] is bot
    assert ann.talks == {"mine": {(11,): 3}}
    assert codec.load(found["chat", "11"]).talks == {"order": {(11, 11): "ADDRESS"}}
    group = codec.load(found["chat", "-200"])
    assert (group.data, group.talks) == ({"topic": "tea"}, {"vote": {(-200, 11): 2}})
    assert found["bot", ""] == {"data": {"total": 7}}
    ((number, buttons),) = clean.superuser("SELECT number, buttons FROM keyboards")
    assert (number, codec.load(buttons).data) == (NUMBER, {BUTTON: ("buy", 1)})
    assert {tuple(counts) for counts in run(path, "--of-users", "mine")["counts"].values()} == {
        ("same",), ("new", "same")
    }  # fmt: skip


@pytest.mark.parametrize("protocol", range(6))
def test_every_protocol_of_pickles_is_read(run: Run, clean: Services, tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "kept.pickle"
    kept = {"user_data": {11: VALUES}, "chat_data": {}, "conversations": {}}
    path.write_bytes(pickle.dumps(kept, protocol))
    assert run(path, "--form", "pickle")["skipped"] == {}
    assert Codec().load(memory(clean)["user", "11"]).data == VALUES


def test_members_of_an_enumeration_are_brought_along_by_what_they_are(
    run: Run, clean: Services, tmp_path: Path
) -> None:
    path = tmp_path / "kept.pickle"
    path.write_bytes(pickle.dumps({"conversations": {"order": {(11, 11): Step.ADDRESS}}}))
    told = run(path)
    assert told["skipped"] == {}
    assert list(told["notes"]) == [
        f"members of {__name__}:Step: the bot's code must have that enumeration, under that name"
    ]
    assert "Step" in json.dumps(memory(clean)["chat", "11"])


def test_what_version_13_kept_is_read_too(run: Run, clean: Services) -> None:
    told = run(FIXTURES / "ptb13.pickle")
    assert told["skipped"] == {}
    found = Codec().load(memory(clean)["user", "11"]).data
    assert found["since"] == datetime(2021, 6, 1, 12, tzinfo=ZoneInfo("Europe/Berlin"))
    assert (found["n"], found["utc"], found["set"]) == (1, datetime(2021, 6, 1, tzinfo=UTC), {1, 2})
    assert found["who"] == User(11, "Ann", False)
    assert memory(clean)["chat", "-200"] == {"data": {"topic": "tea"}, "talks": {"order": [[[-200, 11], 1]]}}


def aiogram(valkey: "redis.Redis", place: int) -> Mapping[str, str]:
    """Keys as aiogram has written them, by its RedisStorage (see tests/unit/importing/aiogram.json)."""
    keys: dict[str, str] = json.loads((FIXTURES / "aiogram.json").read_text(encoding="utf-8"))["sets"][place]["keys"]
    valkey.mset(keys)
    valkey.rpush("fsm:list", "not a state")
    return keys


def data(n: int) -> dict[str, Any]:
    return {"n": n, "имя": "Аня", "list": [1, 2.5, None, True]}


def test_what_aiogram_kept_stands_in_user_data(run: Run, clean: Services, valkey: "redis.Redis") -> None:
    aiogram(valkey, 0)
    valkey.set("fsm:11:11:lock", "1")
    valkey.set("fsm:strange", "1")
    told = run(clean.redis_url)
    assert told["skipped"]["a key of another form: see --with-bot-id and the like"]["samples"] == ["fsm:strange"]
    assert told["counts"] == {"people": {"new": 2}, "user_data": {"new": 2}}
    assert memory(clean)["user", "11"]["data"]["aiogram"] == {
        "11": {"data": data(0), "state": "Order:address"}, "-100200": {"data": data(1), "state": "Order:done"},
    }  # fmt: skip
    assert memory(clean)["user", "12"]["data"]["aiogram"] == {"-100200/7": {"data": data(2), "state": "Order:address"}}


def test_keys_of_every_form_that_aiogram_can_be_told_are_read(run: Run, clean: Services, valkey: "redis.Redis") -> None:
    aiogram(valkey, 1)
    options = ("--with-bot-id", "--with-destiny", "--with-business-connection-id")
    told = run(clean.redis_url, *options, "--key-prefix", "my*fsm", "--key-separator", "|")
    assert list(told["skipped"]) == ["of another bot: 999"]
    assert memory(clean) == {
        ("user", "11"): {"data": {"aiogram": {
            "11": {"data": data(0), "state": "Order:address"}, "11#other": {"data": data(1), "state": "Order:done"},
        }}},
        ("user", "13"): {"data": {"aiogram": {"bbizAB_1:13": {"data": data(2), "state": "Order:address"}}}},
    }  # fmt: skip


async def test_an_export_brings_people_and_memory_into_another_bot(run: Run, clean: Services, tmp_path: Path) -> None:
    path = tmp_path / "kept"
    await persisted(path, single=True)
    run(path)
    clean.superuser("UPDATE bot_users SET first_name = 'Ann', tags = '{vip}', attributes = '{\"plan\": 1}'")
    other = make_bot(TELEGRAM_ID + 1, customer_id=add_customer("other").id)
    target = BytesIO()
    write_archive(1, 1, target, lambda *_: None)
    (tmp_path / "bot.zip").write_bytes(target.getvalue())
    told = run(tmp_path / "bot.zip", "--bot", other.id)
    assert told["counts"] == {
        "people": {"new": 1},
        "user_data": {"new": 1},
        "chat_data": {"new": 2},
        "bot_data": {"new": 1},
    }
    for columns, table in (
        ("user_id, first_name, tags, attributes, first_seen, last_seen", "bot_users"),
        ("scope, key, state::text", "conversations"),
    ):
        rows = [
            clean.superuser(f"SELECT {columns} FROM {table} WHERE bot_id = {bot} ORDER BY 1, 2")  # noqa: S608
            for bot in (1, other.id)
        ]
        assert rows[0] == rows[1] != []


def test_an_import_that_was_killed_is_done_again_and_nothing_is_doubled(
    run: Run, clean: Services, tmp_path: Path
) -> None:
    people = 20_000
    path = tmp_path / "people.jsonl"
    lines = (json.dumps({"user_id": number, "user_data": {"n": number}}) for number in range(1, people + 1))
    path.write_text("\n".join(lines), encoding="utf-8")

    def here() -> int:
        ((count,),) = clean.superuser("SELECT count(*) FROM bot_users")
        return int(count)

    command = [sys.executable, "-m", "botyard.cli", "import", str(path)]
    with subprocess.Popen(command, env={**os.environ, **clean.environment}) as killed:
        wait_until(lambda: here() > 0, 60, "some people are here")
        killed.kill()
    began = here()
    assert 0 < began < people
    told = run(path)["counts"]
    assert told == {name: {"same": began, "new": people - began} for name in ("people", "user_data")}
    assert here() == people


def test_columns_are_what_somebody_says_they_are(run: Run, clean: Services, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("Id,Plan,Phone,Notes,City\n11,gold,49,secret,Riga\n", encoding="utf-8")
    run(path, "--map", "Plan=tags", "--map", "Phone=attributes.phone", "--map", "Notes=")
    found = clean.superuser("SELECT user_id, tags, attributes FROM bot_users")
    assert found == [(11, ["gold"], {"phone": "49", "City": "Riga"})]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("/nowhere/at/all",), "No such file"), (("redis://127.0.0.1:1/0",), "cannot be read"),
        ((__file__, "--form", "pickle"), "cannot be read as a pickle"), ((__file__, "--map", "x"), "has no `=`"),
        ((__file__, "--bot", "@nobody"), "there is no bot"),
    ],
)  # fmt: skip
def test_what_cannot_be_imported_is_said_in_a_sentence(run: Run, words: tuple[str, ...], says: str) -> None:
    with pytest.raises(BotyardError, match=says):
        run(*words)
