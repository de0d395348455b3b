from typing import Any

import pytest

from botyard.simulator.model import Member
from tests.unit.simulator.asking import order
from tests.unit.simulator.conftest import Stage
from tests.unit.simulator.shapes import assert_shape


def set_for(stage: Stage, name: str, language: str = "", **scope: Any) -> None:
    commands = [{"command": name, "description": "x"}]
    assert stage.call("setMyCommands", commands=commands, scope=scope, language_code=language) is True


def seen(stage: Stage, **place: Any) -> list[str]:
    menu = order(stage, "/sim/menu", "GET", bot_id=stage.bot.id, person_id=stage.person.id, **place)
    return [command["command"] for command in menu["commands"]]


def test_in_a_private_chat_the_narrowest_scope_wins_and_in_it_the_language(stage: Stage) -> None:
    stage.write()
    stage.person.language_code = "de-AT"
    steps: list[tuple[str, str, dict[str, Any]]] = [
        ("default", "", {"type": "default"}),
        ("default_de", "de", {"type": "default"}),
        ("private", "", {"type": "all_private_chats"}),
        ("private_de", "de", {"type": "all_private_chats"}),
        ("chat", "", {"type": "chat", "chat_id": stage.person.id}),
        ("chat_de", "de", {"type": "chat", "chat_id": str(stage.person.id)}),
    ]
    set_for(stage, "group", type="all_group_chats")
    for name, language, scope in steps:
        set_for(stage, name, language, **scope)
        assert seen(stage) == [name]
    stage.call("deleteMyCommands", scope=steps[-1][2], language_code="de")
    assert seen(stage) == ["chat"]


def test_in_a_group_administrators_and_single_members_have_lists_of_their_own(stage: Stage) -> None:
    group = stage.world.add_group("Friends", [stage.person.id, stage.bot.id])
    place: dict[str, Any] = {"chat_id": group.id}
    set_for(stage, "private", type="all_private_chats")
    assert seen(stage, **place) == []
    set_for(stage, "groups", type="all_group_chats")
    set_for(stage, "admins", type="all_chat_administrators")
    assert seen(stage, **place) == ["groups"]
    group.members[stage.person.id] = Member("administrator")
    assert seen(stage, **place) == ["admins"]
    set_for(stage, "chat", type="chat", **place)
    assert seen(stage, **place) == ["chat"]
    set_for(stage, "chat_admins", type="chat_administrators", **place)
    assert seen(stage, **place) == ["chat_admins"]
    set_for(stage, "ann", type="chat_member", user_id=stage.person.id, **place)
    assert seen(stage, **place) == ["ann"]


def test_commands_are_read_back_for_exactly_their_scope(stage: Stage) -> None:
    set_for(stage, "a", type="default")
    assert_shape(stage.call("getMyCommands"), "Array of BotCommand")
    assert stage.call("getMyCommands", scope={"type": "all_private_chats"}) == []
    assert stage.call("getMyCommands", language_code="de") == []
    assert stage.call("setMyCommands", commands=[]) is True
    assert stage.call("getMyCommands") == []


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        ({"type": "moon"}, "can't parse BotCommandScope: Unsupported type specified"),
        ({"chat_id": 1}, "can't parse BotCommandScope: Can't find field \"type\""),
        ({"type": "chat"}, "can't parse BotCommandScope: Can't find field \"chat_id\""),
        ({"type": "chat", "chat_id": ""}, "can't parse BotCommandScope: Empty chat_id specified"),
        (
            {"type": "chat_member", "chat_id": 1, "user_id": -5},
            "can't parse BotCommandScope: Invalid user_id specified",
        ),
        ({"type": "chat", "chat_id": -77}, "chat not found"),
    ],
)
def test_a_wrong_scope_is_refused(stage: Stage, scope: dict[str, Any], words: str) -> None:
    assert stage.refusal("getMyCommands", scope=scope) == f"Bad Request: {words}"


def test_a_language_has_two_letters(stage: Stage) -> None:
    assert stage.refusal("getMyCommands", language_code="deu") == "Bad Request: invalid language code specified"
