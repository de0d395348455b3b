from typing import Any

import pytest

from tests.unit.simulator.asking import order
from tests.unit.simulator.conftest import Stage
from tests.unit.simulator.shapes import assert_shape


def test_a_name_for_everybody_is_shown_and_others_only_in_their_language(stage: Stage) -> None:
    assert stage.call("setMyName", name="Helper") is True
    assert stage.call("setMyName", name="Helfer", language_code="de") is True
    assert stage.call("getMe")["first_name"] == "Helper"
    assert stage.call("getMyName", language_code="de") == {"name": "Helfer"}
    assert stage.call("getMyName", language_code="fr") == {"name": "Helper"}
    assert stage.call("setMyName", name="", language_code="de") is True
    assert stage.call("getMyName", language_code="de") == {"name": "Helper"}
    assert stage.refusal("setMyName", name="x" * 65) == "Bad Request: BOT_TITLE_INVALID"
    assert stage.refusal("setMyName", name="") == "Bad Request: BOT_TITLE_INVALID"


@pytest.mark.parametrize(("what", "limit"), [("description", 512), ("short_description", 120)])
def test_descriptions_are_kept_by_language(stage: Stage, what: str, limit: int) -> None:
    ending = "".join(part.capitalize() for part in what.split("_"))
    assert stage.call(f"setMy{ending}", **{what: "Hallo", "language_code": "de"}) is True
    assert stage.call(f"getMy{ending}") == {what: ""}
    shown = stage.call(f"getMy{ending}", language_code="de")
    assert_shape(shown, f"Bot{ending}")
    assert shown == {what: "Hallo"}
    assert "TOO_LONG" in stage.refusal(f"setMy{ending}", **{what: "x" * (limit + 1)})


def test_a_person_sees_their_own_menu_button_else_the_one_for_all_else_the_commands(stage: Stage) -> None:
    def seen() -> Any:
        return order(stage, "/sim/menu", "GET", bot_id=stage.bot.id, person_id=stage.person.id)["menu_button"]["type"]

    page = {"type": "web_app", "text": "Open", "web_app": {"url": "https://example.org/"}}
    assert stage.call("getChatMenuButton") == {"type": "default"}
    assert seen() == "commands"
    assert stage.call("setChatMenuButton", menu_button=page) is True
    assert seen() == "web_app"
    assert stage.call("setChatMenuButton", chat_id=stage.person.id, menu_button={"type": "commands"}) is True
    assert seen() == "commands"
    assert_shape(stage.call("getChatMenuButton"), "MenuButton")
    assert stage.call("getChatMenuButton") == page
    assert stage.call("setChatMenuButton", chat_id=stage.person.id) is True
    assert stage.call("getChatMenuButton", chat_id=stage.person.id) == {"type": "default"}


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"menu_button": {"type": "x"}}, "can't parse menu button: MenuButton has unsupported type"),
        ({"menu_button": {"type": "web_app", "text": "x"}}, "can't parse menu button: Can't find field \"web_app\""),
        ({"menu_button": {"type": "web_app", "text": "x", "web_app": {"url": "http://a.org"}}}, "BUTTON_URL_INVALID"),
        ({"chat_id": -5}, "invalid chat_id specified"),
        ({"chat_id": 99}, "user not found"),
    ],
)
def test_a_wrong_menu_button_is_refused(stage: Stage, params: dict[str, Any], words: str) -> None:
    assert stage.refusal("setChatMenuButton", **params) == f"Bad Request: {words}"


def test_suggested_rights_are_kept_for_groups_and_channels_apart(stage: Stage) -> None:
    rights = {"can_pin_messages": True, "can_manage_chat": True}
    assert stage.call("setMyDefaultAdministratorRights", rights=rights) is True
    shown = stage.call("getMyDefaultAdministratorRights")
    assert_shape(shown, "ChatAdministratorRights")
    assert (shown["can_pin_messages"], shown["can_delete_messages"]) == (True, False)
    assert "can_post_messages" not in shown
    channels = stage.call("getMyDefaultAdministratorRights", for_channels=True)
    assert_shape(channels, "ChatAdministratorRights")
    assert not any(channels.values())
    assert "must be of type Boolean" in stage.refusal("setMyDefaultAdministratorRights", rights={"can_manage_chat": 1})


def test_a_bot_that_logged_out_is_refused_for_ten_minutes_and_loses_its_inbox(stage: Stage) -> None:
    stage.write()
    assert stage.call("logOut") is True
    assert stage.refusal("getMe") == "Logged out"
    assert not stage.bot.pending
    stage.clock.time += 601
    assert stage.call("getMe")["id"] == stage.bot.id
    assert stage.call("close") is True
