from typing import Any

import pytest

from botyard.simulator.model import Person
from tests.unit.simulator.asking import order, told, updates
from tests.unit.simulator.conftest import Stage
from tests.unit.simulator.gatherings import gather, guest

BUTTONS: list[list[Any]] = [
    ["Plain", {"text": "Phone", "request_contact": True}, {"text": "Where", "request_location": True}],
    [{"text": "Page", "web_app": {"url": "https://example.org"}}],
    [
        {
            "text": "Who",
            "request_users": {"request_id": 7, "max_quantity": 2, "user_is_bot": False, "request_name": True},
        }
    ],
    [{"text": "Chat", "request_chat": {"request_id": 8, "chat_is_channel": False, "request_title": True}}],
]


@pytest.fixture
def place(stage: Stage) -> dict[str, Any]:
    assert stage.private
    stage.say(reply_markup={"keyboard": BUTTONS})
    return {"bot_id": stage.bot.id, "person_id": stage.person.id}


def tap(stage: Stage, place: dict[str, Any], text: str, **given: Any) -> Any:
    order(stage, "/sim/tap", **place, text=text, **given)
    return updates(stage, "message")[-1]


def test_a_plain_button_says_what_stands_on_it(stage: Stage, place: dict[str, Any]) -> None:
    assert tap(stage, place, "Plain")["text"] == "Plain"


def test_contact_place_and_data_are_shared_when_the_button_asks(stage: Stage, place: dict[str, Any]) -> None:
    contact = tap(stage, place, "Phone", phone_number="+43123")["contact"]
    assert (contact["phone_number"], contact["user_id"]) == ("+43123", stage.person.id)
    assert tap(stage, place, "Where", location={"latitude": 1, "longitude": 2})["location"]["longitude"] == 2
    assert tap(stage, place, "Page", data="{}")["web_app_data"] == {"data": "{}", "button_text": "Page"}
    assert "asks for location" in told(stage, "/sim/tap", **place, text="Where")
    assert "1 to 4096 bytes" in told(stage, "/sim/tap", **place, text="Page", data="x" * 4097)


def test_people_and_chats_are_shared_as_far_as_the_button_asks(stage: Stage, place: dict[str, Any]) -> None:
    bob = stage.world.add_person(Person(0, "Bob", username="bob"))
    shared = tap(stage, place, "Who", user_ids=[bob.id])["users_shared"]
    assert shared == {"request_id": 7, "users": [{"user_id": bob.id, "first_name": "Bob"}]}
    assert "does not ask for bots" in told(stage, "/sim/tap", **place, text="Who", user_ids=[stage.bot.id])
    assert "1 to 2 user_ids" in told(stage, "/sim/tap", **place, text="Who")
    group, channel = gather(stage), gather(stage, "channel")
    shared = tap(stage, place, "Chat", shared_chat_id=group.id)["chat_shared"]
    assert shared == {"request_id": 8, "chat_id": group.id, "title": "Friends"}
    assert "asks for a group" in told(stage, "/sim/tap", **place, text="Chat", shared_chat_id=channel.id)


def test_a_removed_keyboard_has_no_buttons(stage: Stage, place: dict[str, Any]) -> None:
    assert order(stage, "/sim/menu", "GET", **place)["keyboard"]["keyboard"][0][0] == {"text": "Plain"}
    stage.say(reply_markup={"remove_keyboard": True})
    assert "no button" in told(stage, "/sim/tap", **place, text="Plain")


def test_in_a_group_a_button_answers_its_message_and_so_reaches_a_bot_in_privacy_mode(stage: Stage) -> None:
    stage.bot.sees_all = False
    group = gather(stage, lead=False)
    asked = stage.call("sendMessage", chat_id=group.id, text="Which?", reply_markup={"keyboard": [["Red"]]})
    place = {"bot_id": stage.bot.id, "person_id": stage.person.id, "chat_id": group.id}
    assert order(stage, "/sim/tap", **place, text="Red")["update_id"]
    assert updates(stage, "message")[-1]["reply_to_message"]["message_id"] == asked["message_id"]


def test_who_may_not_write_in_a_group_presses_no_keyboard(stage: Stage) -> None:
    group = gather(stage)
    stage.call("sendMessage", chat_id=group.id, text="Which?", reply_markup={"keyboard": [["Red"]]})
    muted = guest(stage, group)
    order(stage, "/sim/restrict", person_id=stage.person.id, chat_id=group.id, user_id=muted.id, permissions={})
    place = {"bot_id": stage.bot.id, "person_id": muted.id, "chat_id": group.id}
    assert "can_send_messages" in told(stage, "/sim/tap", **place, text="Red")
