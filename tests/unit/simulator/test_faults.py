from typing import Any

import pytest

from botyard.simulator.faults import Fault, Faults
from tests.unit.simulator.asking import order, told, updates
from tests.unit.simulator.conftest import Stage


@pytest.fixture
def faults(stage: Stage) -> Faults:
    assert stage.private
    return stage.simulator.faults


def strikes(faults: Faults, times: int = 1, chat_id: int = 5, method: str = "sendMessage") -> list[Fault | None]:
    return [faults.strike(4200000001, chat_id, method) for _ in range(times)]


def test_a_held_429_names_the_seconds_that_are_left_and_then_opens_the_door(stage: Stage, faults: Faults) -> None:
    order(stage, "/sim/faults", fault="429", retry_after=30, hold=True)
    (first,) = strikes(faults)
    assert first
    assert first.retry_after == 30
    stage.clock.time += 20.5
    (second,) = strikes(faults)
    assert second
    assert second.retry_after == 10
    stage.clock.time += 10
    assert strikes(faults) == [None]


def test_a_fault_begins_and_ends_when_it_is_told_to(stage: Stage, faults: Faults) -> None:
    order(stage, "/sim/faults", fault="500", after=10, seconds=5)
    assert strikes(faults) == [None]
    order(stage, "/sim/clock", advance=11)
    assert strikes(faults) != [None]
    order(stage, "/sim/clock", advance=5)
    assert strikes(faults) == [None]
    assert order(stage, "/sim/faults", "GET") == {"faults": []}


def test_a_seed_makes_chance_repeat_itself(stage: Stage, faults: Faults) -> None:
    rows = []
    for _ in range(2):
        order(stage, "/sim/faults", fault="off")
        order(stage, "/sim/faults", fault="502", probability=0.3, seed=7)
        rows.append([bool(hit) for hit in strikes(faults, 200)])
    assert rows[0] == rows[1]
    assert 30 < sum(rows[0]) < 90


def test_a_fault_hits_the_methods_chats_and_bots_it_names(stage: Stage, faults: Faults) -> None:
    order(stage, "/sim/faults", fault="500", methods=["sendPhoto"], chat_id=5, bot_id=stage.bot.id)
    assert strikes(faults) == [None]
    assert strikes(faults, method="sendphoto", chat_id=6) == [None]
    assert strikes(faults, method="sendphoto") != [None]


def change(stage: Stage, chat_id: int) -> Any:
    """Send a message as the server does: the fault plays first."""
    fault = stage.simulator.faults.strike(stage.bot.id, chat_id, "sendMessage")
    if fault:
        stage.simulator.faults.change(fault, stage.bot.id, chat_id)
    return stage.call("sendMessage", chat_id=chat_id, text="x")


def test_a_person_blocks_the_bot_on_its_next_message_and_only_then(stage: Stage, faults: Faults) -> None:
    order(stage, "/sim/faults", fault="block", chat_id=stage.person.id)
    assert faults.strike(stage.bot.id, stage.person.id, "getChat") is None
    assert change(stage, stage.person.id).description == "Forbidden: bot was blocked by the user"
    assert updates(stage, "my_chat_member")[0]["new_chat_member"]["status"] == "kicked"
    order(stage, "/sim/block", bot_id=stage.bot.id, person_id=stage.person.id, blocked=False)
    assert change(stage, stage.person.id)["text"] == "x"


def test_a_group_becomes_a_supergroup_on_the_next_message(stage: Stage, faults: Faults) -> None:
    group = stage.world.add_group("Friends", [stage.person.id, stage.bot.id])
    order(stage, "/sim/faults", fault="migrate")
    assert change(stage, stage.person.id)["text"] == "x"
    refusal = change(stage, group.id)
    assert refusal.parameters == {"migrate_to_chat_id": group.migrated_to}
    assert not strikes(faults, chat_id=group.id)[0]


@pytest.mark.usefixtures("faults")
def test_a_person_deletes_the_account_on_the_next_message(stage: Stage) -> None:
    order(stage, "/sim/faults", fault="deactivate")
    assert change(stage, stage.person.id).description == "Forbidden: user is deactivated"


def test_an_unknown_fault_is_refused(stage: Stage) -> None:
    assert told(stage, "/sim/faults", fault="flood").startswith("fault must be one of 429, 500")
