"""The world over restarts: what is written, when, and what is said when it cannot be read."""

import asyncio
import logging
from pathlib import Path

import orjson
import pytest

from botyard.simulator.__main__ import main
from botyard.simulator.history import LONG_CALL, History
from botyard.simulator.settings import Settings
from botyard.simulator.snapshot import Keeper, SnapshotError, dump, restore
from botyard.simulator.world import World
from tests.unit.simulator.asking import order
from tests.unit.simulator.conftest import Stage
from tests.unit.simulator.process import eventually


async def test_what_goes_wrong_once_does_not_end_the_saving(
    stage: Stage, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "missing" / "world.json"
    keeper = Keeper(stage.world, path)
    keeping = asyncio.create_task(keeper.run())
    await eventually(lambda: bool(caplog.records))
    path.parent.mkdir()
    keeper.stop()
    await keeping
    assert caplog.records[0].levelno == logging.ERROR
    assert str(path) in caplog.text
    assert path.exists()


async def test_what_no_json_can_hold_is_told_and_the_rest_of_the_stop_goes_on(
    stage: Stage, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keeper = Keeper(stage.world, tmp_path / "world.json")
    stage.private.answers.append({"poison": 1 << 70})
    stage.world.revision += 1
    keeping = asyncio.create_task(keeper.run())
    keeper.stop()
    await keeping
    assert "was not saved" in caplog.text


async def test_the_last_change_before_a_stop_is_written(stage: Stage, tmp_path: Path) -> None:
    path = tmp_path / "world.json"
    keeper = Keeper(stage.world, path)
    keeping = asyncio.create_task(keeper.run())
    await asyncio.sleep(0)
    stage.write("the last words")
    keeper.stop()
    await keeping
    assert b"the last words" in path.read_bytes()


def test_settings_outlive_a_restart(stage: Stage) -> None:
    order(stage, "/sim/settings", flood=False, retry_scale=0.1)
    order(stage, "/sim/settings", bot_id=stage.bot.id, redeliver=0.5)
    again = World()
    restore(again, dump(stage.world))
    assert again.settings == Settings(flood=False, retry_scale=0.1)
    assert again.settings_of(stage.bot.id) == Settings(flood=False, retry_scale=0.1, redeliver=0.5)


def test_a_snapshot_from_before_settings_were_kept_is_read(stage: Stage) -> None:
    raw = orjson.loads(dump(stage.world))
    del raw["settings"], raw["bot_settings"]
    again = World()
    restore(again, orjson.dumps(raw))
    assert again.settings == Settings()
    assert again.bots == stage.world.bots


def broken(stage: Stage) -> bytes:
    group = stage.world.add_group("Friends", [stage.person.id])
    group.permissions["can_send_messages"] = "perhaps"  # type: ignore[assignment]
    return dump(stage.world)


def test_the_field_that_cannot_be_read_is_named(stage: Stage) -> None:
    with pytest.raises(SnapshotError, match=r"field chats\.0\.permissions\.can_send_messages: Input should be"):
        restore(World(), broken(stage))


def test_an_unreadable_state_is_left_and_the_newest_good_one_is_named(
    stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("botyard.simulator.__main__.uvloop.run", lambda serving: serving.close())
    path = tmp_path / "world.json"
    good, bad = dump(stage.world), broken(stage)
    path.write_bytes(good)
    assert main(["--state", str(path), "--port", "0"]) == 0
    path.write_bytes(bad)
    assert main(["--state", str(path), "--port", "0"]) == 1
    words = capsys.readouterr().err
    assert "field chats.0.permissions.can_send_messages" in words
    assert f"put {path}.good, the newest that was read, in its place" in words
    assert ((tmp_path / "world.json.good").read_bytes(), path.read_bytes()) == (good, bad)


def test_a_long_call_is_kept_with_the_beginning_of_its_parameters(stage: Stage) -> None:
    stage.refusal("sendMessage", chat_id=stage.person.id, text="x" * 5_000_000, entities=[{}] * 100_000)
    (event,) = orjson.loads(stage.simulator.history.page(0, 10))["events"]
    assert len(orjson.dumps(event)) < LONG_CALL
    assert event["params"]["text"] == "x" * 4096 + "…"
    assert event["params"]["chat_id"] == stage.person.id


def test_history_keeps_to_its_bytes_and_its_numbers() -> None:
    history = History(limit=10_000)
    for number in range(200):
        history.add("call", {"number": number, "text": "x" * 100})
    page = orjson.loads(history.page(0, 1_000))["events"]
    assert 50 < len(page) < 100
    assert [event["seq"] for event in page] == [event["number"] + 1 for event in page]
    assert page[-1]["number"] == 199
