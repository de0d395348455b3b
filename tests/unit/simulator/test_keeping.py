import stat
from pathlib import Path

import orjson
import pytest

from botyard.simulator import people
from botyard.simulator.delivery import Courier
from botyard.simulator.faults import Fault, Faults
from botyard.simulator.history import KEPT, TRIMMED_AT_ONCE, History
from botyard.simulator.model import Update, Webhook
from botyard.simulator.snapshot import Keeper, SnapshotError, dump, restore
from botyard.simulator.wire import Answer, Wire, target
from botyard.simulator.world import World
from tests.unit.simulator.conftest import Stage


def test_a_world_comes_back_from_a_snapshot_as_it_was(stage: Stage) -> None:
    stage.write("/start")
    markup = {"inline_keyboard": [[{"text": "A", "callback_data": "a"}]]}
    message_id = stage.say(reply_markup=markup)
    people.press(stage.world, stage.bot, stage.person, stage.private, message_id=message_id, data="a")
    stage.world.add_group("Friends", [stage.person.id, stage.bot.id])
    stage.call("setMyCommands", commands=[{"command": "help", "description": "Helps"}])
    stage.bot.webhook = Webhook("https://example.org/")
    data = dump(stage.world)
    again = World()
    restore(again, data)
    assert again.bots == stage.world.bots
    assert again.people == stage.world.people
    assert again.chats == stage.world.chats
    assert again.queries == stage.world.queries
    assert again.tokens.keys() == stage.world.tokens.keys()
    assert dump(again) == data


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"format":99}', b'{"format":1,"bots":[{}]}'])
def test_something_else_is_no_snapshot(data: bytes) -> None:
    with pytest.raises(SnapshotError):
        restore(World(), data)


async def test_a_snapshot_is_readable_by_its_owner_only_and_written_after_changes_only(
    stage: Stage, tmp_path: Path
) -> None:
    path = tmp_path / "world.json"
    keeper = Keeper(stage.world, path)
    await keeper.write()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.unlink()
    await keeper.write()
    assert not path.exists()
    stage.write()
    await keeper.write()
    assert path.exists()


def test_history_is_read_page_by_page() -> None:
    history = History()
    for number in range(5):
        history.add("call", {"number": number})
    first = orjson.loads(history.page(0, 3))
    assert [event["number"] for event in first["events"]] == [0, 1, 2]
    second = orjson.loads(history.page(first["next"], 3))
    assert [event["number"] for event in second["events"]] == [3, 4]
    assert orjson.loads(history.page(second["next"], 3)) == {"events": [], "next": 5}


def test_history_numbers_go_on_after_a_reset_and_after_forgetting() -> None:
    history = History()
    for _ in range(KEPT + 1):
        history.add("call", {})
    page = orjson.loads(history.page(0, 1))
    assert page["events"][0]["seq"] == TRIMMED_AT_ONCE + 1
    history.reset()
    history.add("call", {})
    assert orjson.loads(history.page(0, 1))["next"] == KEPT + 2


def test_a_fault_hits_what_it_is_meant_for_and_ends(stage: Stage) -> None:
    faults = Faults(stage.world)
    faults.order(Fault("500", bot_id=1, methods=frozenset({"sendmessage"}), count=2))
    faults.order(Fault("429", chat_id=7, ends=stage.clock() + 5))
    struck = [faults.strike(1, 0, "sendMessage") for _ in range(3)]
    assert [fault.kind if fault else None for fault in struck] == ["500", "500", None]
    assert faults.strike(2, 0, "getMe") is None
    hit = faults.strike(2, 7, "getMe")
    assert hit
    assert hit.kind == "429"
    stage.clock.time += 5
    assert faults.strike(2, 7, "getMe") is None


async def test_pauses_double_up_to_a_random_minute_or_two(stage: Stage) -> None:
    webhook = Webhook("http://127.0.0.1:9/")
    courier = Courier(
        world=stage.world,
        history=stage.simulator.history,
        wire=Wire(),
        execute=lambda *_: None,
        bot=stage.bot,
        webhook=webhook,
    )
    update = Update(1, "message", 1, "lane", stage.clock() + 1e6, b"{}")
    pauses = []
    for attempt in range(1, 2000):
        update.attempts = attempt
        pauses.append(courier._pause(update, Answer(500)))
    assert pauses[:6] == [0, 2, 4, 8, 16, 32]
    assert all(60 <= pause <= 120 for pause in pauses[7:])
    assert len(set(pauses[7:])) > 100
    assert courier._pause(update, Answer(503, {"retry-after": "7"})) == 7
    assert courier._pause(update, Answer(503, {"retry-after": "99999"})) == 3600
    courier.close()


def test_a_request_names_its_host_path_and_secret() -> None:
    made = target("http://127.0.0.1:8000/hook/1?x=2", "s3cret")
    assert (made.address.host, made.address.port, made.address.secure) == ("127.0.0.1", 8000, False)
    assert made.head.startswith(b"POST /hook/1?x=2 HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n")
    assert b"\r\nX-Telegram-Bot-Api-Secret-Token: s3cret\r\n" in made.head
