from botyard.simulator.model import Member
from tests.unit.simulator.conftest import Stage

HOUR = 3600


def test_a_bot_deletes_others_messages_in_a_group_only_with_the_right(stage: Stage) -> None:
    group = stage.world.add_group("Friends", [stage.person.id, stage.bot.id])
    written = stage.write(chat=group).message_id
    where = {"chat_id": group.id, "message_id": written}
    assert stage.refusal("deleteMessage", **where) == "Bad Request: message can't be deleted"
    group.members[stage.bot.id] = Member("administrator", {"can_delete_messages": True})
    assert stage.call("deleteMessage", **where) is True


def test_many_are_deleted_at_once_and_missing_ones_passed_over(stage: Stage) -> None:
    ids = [stage.write().message_id, stage.say(), 99]
    stage.private.pinned.append(ids[0])
    assert stage.call("deleteMessages", chat_id=stage.person.id, message_ids=ids) is True
    assert stage.private.messages == {}
    assert stage.private.pinned == []
    assert stage.call("deleteMessages", chat_id=stage.person.id, message_ids="[99]") is True


def test_a_dice_lies_for_a_day(stage: Stage) -> None:
    stage.write()
    dice = stage.call("sendDice", chat_id=stage.person.id)["message_id"]
    where = {"chat_id": stage.person.id, "message_id": dice}
    assert stage.refusal("deleteMessage", **where) == "Bad Request: message can't be deleted"
    stage.clock.time += 25 * HOUR
    assert stage.call("deleteMessage", **where) is True


def test_one_that_is_too_old_keeps_all_from_being_deleted(stage: Stage) -> None:
    old = stage.write().message_id
    stage.clock.time += 49 * HOUR
    new = stage.write().message_id
    words = stage.refusal("deleteMessages", chat_id=stage.person.id, message_ids=[old, new])
    assert words == "Bad Request: message can't be deleted for everyone"
    assert new in stage.private.messages
