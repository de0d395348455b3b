import pytest

from botyard.simulator.errors import ApiError, ControlError
from botyard.simulator.groups import migrate
from botyard.simulator.joining import come_by_link
from botyard.simulator.model import Person
from botyard.simulator.orders import ORDERS
from botyard.simulator.params import Params
from botyard.simulator.snapshot import dump, restore
from botyard.simulator.world import World
from tests.unit.simulator.conftest import Stage
from tests.unit.simulator.gatherings import gather, guest, told


def test_both_chats_say_where_the_group_went(stage: Stage) -> None:
    old = gather(stage, "group")
    stage.write(chat=old)
    told(stage.bot, "message")
    new = migrate(stage.world, old)
    leaving, arriving = told(stage.bot, "message")
    assert (leaving["chat"]["id"], leaving["migrate_to_chat_id"]) == (old.id, new.id)
    assert leaving["from"]["id"] == stage.person.id
    assert (arriving["chat"]["id"], arriving["migrate_from_chat_id"]) == (new.id, old.id)
    assert (arriving["chat"]["type"], arriving["message_id"]) == ("supergroup", 1)
    assert (arriving["from"]["username"], arriving["sender_chat"]["id"]) == ("GroupAnonymousBot", new.id)
    assert new.id < -1_000_000_000_000


def test_the_bot_comes_into_the_supergroup_and_does_not_leave_the_group(stage: Stage) -> None:
    old = gather(stage, "group")
    new = migrate(stage.world, old)
    changes = told(stage.bot, "my_chat_member")
    assert [(change["chat"]["id"], change["new_chat_member"]["status"]) for change in changes] == [
        (new.id, "administrator")
    ]


def test_the_old_id_is_refused_with_the_new_one(stage: Stage) -> None:
    old = gather(stage, "group")
    new = migrate(stage.world, old)
    for method, more in (("sendMessage", {"text": "hi"}), ("getChatMemberCount", {}), ("leaveChat", {})):
        outcome = stage.call(method, chat_id=old.id, **more)
        assert isinstance(outcome, ApiError)
        assert outcome.as_json() == {
            "ok": False,
            "error_code": 400,
            "description": "Bad Request: group chat was upgraded to a supergroup chat",
            "parameters": {"migrate_to_chat_id": new.id},
        }
    assert stage.call("getChat", chat_id=old.id)["type"] == "group"
    assert stage.call("sendMessage", chat_id=new.id, text="hi")["message_id"] == 2


def test_everybody_and_everything_comes_along(stage: Stage) -> None:
    old = gather(stage, "group")
    bob = guest(stage, old)
    link = stage.call("exportChatInviteLink", chat_id=old.id)
    stage.call("setChatDescription", chat_id=old.id, description="Old friends")
    new = migrate(stage.world, old)
    assert [new.members[one].status for one in (stage.person.id, stage.bot.id, bob.id)] == [
        "creator",
        "administrator",
        "member",
    ]
    assert stage.call("getChat", chat_id=new.id)["description"] == "Old friends"
    assert come_by_link(stage.world, stage.world.add_person(Person(0, "Cid")), link)
    assert new.present() == [stage.person.id, stage.bot.id, bob.id, max(stage.world.people)]


def test_a_group_migrates_once(stage: Stage) -> None:
    old = gather(stage, "group")
    assert migrate(stage.world, old) is migrate(stage.world, old)


def test_a_group_that_nobody_leads_migrates_too(stage: Stage) -> None:
    old = stage.world.add_group("Friends", [stage.person.id, stage.bot.id])
    new = migrate(stage.world, old)
    assert [("migrate_to_chat_id" in one, "migrate_from_chat_id" in one) for one in told(stage.bot, "message")] == [
        (True, False),
        (False, True),
    ]
    assert new.has(stage.person.id)


def test_people_write_to_the_new_id(stage: Stage) -> None:
    old = gather(stage, "group")
    params = {"bot_id": stage.bot.id, "person_id": stage.person.id, "chat_id": old.id}
    new = ORDERS["POST", "/sim/migrate"](stage.simulator, Params(params))
    with pytest.raises(ControlError, match=f"has become supergroup {new['id']}"):
        ORDERS["POST", "/sim/send"](stage.simulator, Params(params | {"text": "hi"}))
    sent = ORDERS["POST", "/sim/send"](stage.simulator, Params(params | {"text": "hi", "chat_id": new["id"]}))
    assert sent["message_id"] == 2


def test_a_restart_keeps_where_a_group_went_and_who_is_in_it(stage: Stage) -> None:
    old = gather(stage, "group")
    new = migrate(stage.world, old)
    world = World()
    restore(world, dump(stage.world))
    assert world.groups[old.id].migrated_to == new.id
    assert world.groups[new.id] == new
