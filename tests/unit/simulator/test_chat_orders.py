from typing import Any

import pytest

from botyard.simulator.errors import ApiError, ControlError
from botyard.simulator.model import Person
from botyard.simulator.orders import ORDERS
from botyard.simulator.params import Params
from tests.unit.simulator.conftest import Stage
from tests.unit.simulator.gatherings import told


def order(stage: Stage, path: str, **params: Any) -> Any:
    http_method = "GET" if path == "/sim/members" else "POST"
    return ORDERS[http_method, path](stage.simulator, Params({"person_id": stage.person.id} | params))


@pytest.fixture
def bob(stage: Stage) -> Person:
    return stage.world.add_person(Person(0, "Bob"))


@pytest.fixture
def group_id(stage: Stage, bob: Person) -> int:
    made = order(
        stage,
        "/sim/groups",
        type="supergroup",
        title="Friends",
        creator_id=stage.person.id,
        member_ids=[bob.id],
        bot_ids=[stage.bot.id],
    )
    return int(made["id"])


def test_a_bot_is_told_of_the_group_it_is_brought_into(stage: Stage, group_id: int) -> None:
    change, message = told(stage.bot, "my_chat_member")[0], told(stage.bot, "message")[0]
    assert (change["chat"]["id"], change["from"]["id"]) == (group_id, stage.person.id)
    assert (change["old_chat_member"]["status"], change["new_chat_member"]["status"]) == ("left", "member")
    assert message["new_chat_members"][0]["id"] == stage.bot.id


def test_a_bot_is_brought_into_a_channel_as_an_administrator(stage: Stage) -> None:
    params = {"title": "News", "creator_id": stage.person.id, "bot_ids": [stage.bot.id]}
    order(stage, "/sim/groups", type="channel", username="news", **params)
    assert told(stage.bot, "my_chat_member")[0]["new_chat_member"]["status"] == "administrator"
    assert stage.call("sendMessage", chat_id="@news", text="hi")["chat"]["username"] == "news"


def test_a_group_without_a_creator_is_simply_there(stage: Stage, bob: Person) -> None:
    made = order(stage, "/sim/groups", title="Friends", member_ids=[bob.id], bot_ids=[stage.bot.id])
    assert made["type"] == "group"
    assert not stage.bot.pending


def test_people_come_and_go(stage: Stage, group_id: int, bob: Person) -> None:
    told(stage.bot, "message")
    order(stage, "/sim/leave", person_id=bob.id, chat_id=group_id)
    order(stage, "/sim/join", person_id=bob.id, chat_id=group_id)
    order(stage, "/sim/remove", chat_id=group_id, user_id=bob.id)
    heard = told(stage.bot, "message")
    assert ["left_chat_member" in one for one in heard] == [True, False, True]
    assert [one["from"]["id"] for one in heard] == [bob.id, bob.id, stage.person.id]
    with pytest.raises(ControlError, match="is banned"):
        order(stage, "/sim/join", person_id=bob.id, chat_id=group_id)
    order(stage, "/sim/add", chat_id=group_id, user_id=bob.id)
    shown = order(stage, "/sim/members", chat_id=group_id)
    assert [member["status"] for member in shown["members"]] == ["creator", "member", "member"]


def test_a_person_asks_to_join_and_is_let_in(stage: Stage, group_id: int) -> None:
    cid = stage.world.add_person(Person(0, "Cid"))
    link = order(stage, "/sim/link", chat_id=group_id, creates_join_request=True)["invite_link"]
    assert order(stage, "/sim/join", person_id=cid.id, invite_link=link) == {"joined": False}
    assert order(stage, "/sim/members", chat_id=group_id)["requests"][0]["person_id"] == cid.id
    assert order(stage, "/sim/decide", chat_id=group_id, user_id=cid.id) == {"joined": True}


def test_people_promote_restrict_rename_and_pin(stage: Stage, group_id: int, bob: Person) -> None:
    rights = {"can_pin_messages": True}
    made = order(stage, "/sim/promote", chat_id=group_id, user_id=stage.bot.id, rights=rights, title="Helper")
    assert made["status"] == "administrator"
    assert stage.call("getChatMember", chat_id=group_id, user_id=stage.bot.id)["custom_title"] == "Helper"
    assert order(stage, "/sim/restrict", chat_id=group_id, user_id=bob.id)["status"] == "restricted"
    params = {"bot_id": stage.bot.id, "person_id": bob.id, "chat_id": group_id, "text": "hi"}
    with pytest.raises(ControlError, match="lack can_send_messages"):
        order(stage, "/sim/send", **params)
    assert order(stage, "/sim/title", chat_id=group_id, title="Best friends")["title"] == "Best friends"
    message_id = order(stage, "/sim/send", **params | {"person_id": stage.person.id})["message_id"]
    order(stage, "/sim/pin", chat_id=group_id, message_id=message_id)
    assert stage.call("getChat", chat_id=group_id)["pinned_message"]["text"] == "hi"
    with pytest.raises(ControlError, match="lack can_change_info"):
        order(stage, "/sim/title", person_id=bob.id, chat_id=group_id, title="Mine")


def test_a_deleted_account_is_refused_and_does_nothing(stage: Stage) -> None:
    stage.write()
    order(stage, "/sim/deactivate")
    outcome = stage.call("sendMessage", chat_id=stage.person.id, text="hi")
    assert isinstance(outcome, ApiError)
    assert (outcome.code, outcome.description) == (403, "Forbidden: user is deactivated")
    with pytest.raises(ControlError, match="has deleted their account"):
        order(stage, "/sim/send", bot_id=stage.bot.id, text="hi")
    assert order(stage, "/sim/deactivate", deactivated=False) == {"deactivated": False}
    assert stage.say()


def test_privacy_mode_is_turned_on_and_off(stage: Stage, group_id: int) -> None:
    told(stage.bot, "message")
    assert order(stage, "/sim/privacy", bot_id=stage.bot.id) == {"enabled": True}
    stage.write("hello everybody", chat=stage.world.groups[group_id])
    assert told(stage.bot, "message") == []
    assert order(stage, "/sim/privacy", bot_id=stage.bot.id, enabled=False) == {"enabled": False}


@pytest.mark.parametrize(
    ("path", "params", "words"),
    [
        ("/sim/groups", {"title": ""}, "title is required"),
        ("/sim/groups", {"title": "x", "type": "forum"}, "type must be one of group, supergroup, channel"),
        ("/sim/groups", {"title": "x", "type": "channel"}, "a channel needs a creator_id"),
        ("/sim/groups", {"title": "x", "username": "x"}, "a group has no username"),
        ("/sim/groups", {"title": "x", "bot_ids": [5]}, "there is no bot 5"),
        ("/sim/join", {"chat_id": -1}, "there is no group or channel -1"),
        ("/sim/join", {"invite_link": "https://t.me/+x"}, "there is no such invite link"),
        ("/sim/deactivate", {"person_id": 5}, "there is no person 5"),
    ],
)
def test_senseless_orders_are_explained(stage: Stage, path: str, params: dict[str, Any], words: str) -> None:
    with pytest.raises(ControlError, match=words):
        order(stage, path, **params)


def test_only_a_group_becomes_a_supergroup(stage: Stage, group_id: int) -> None:
    with pytest.raises(ControlError, match="only a group becomes a supergroup"):
        order(stage, "/sim/migrate", chat_id=group_id)
