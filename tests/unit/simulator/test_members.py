from typing import Any

import pytest

from botyard.simulator.errors import ApiError
from botyard.simulator.groups import bring_in
from botyard.simulator.people import membership
from tests.unit.simulator.conftest import Stage
from tests.unit.simulator.gatherings import gather, guest, told
from tests.unit.simulator.shapes import assert_shape

DAY = 24 * 3600


def test_members_are_shown_by_their_place(stage: Stage) -> None:
    chat = gather(stage)
    bob = guest(stage, chat)
    stranger = guest(stage, gather(stage))
    shown = [stage.call("getChatMember", chat_id=chat.id, user_id=one) for one in chat.members]
    assert [one["status"] for one in shown] == ["creator", "administrator", "member"]
    for one, words in zip(shown, ["Owner", "Administrator", "Member"], strict=True):
        assert_shape(one, f"ChatMember{words}")
    assert stage.call("getChatMember", chat_id=chat.id, user_id=stranger.id)["status"] == "left"
    assert stage.call("getChatMemberCount", chat_id=chat.id) == 3
    assert bob.id in chat.members


def test_administrators_are_listed_without_other_bots(stage: Stage) -> None:
    chat = gather(stage)
    other = stage.world.add_bot("4200000002:AAAA", "other_bot", "Other")
    bring_in(stage.world, chat, other.id, stage.person.id)
    membership.promote(stage.world, stage.person, chat, other.id, rights=None, title="Helper")
    shown = stage.call("getChatAdministrators", chat_id=chat.id)
    assert_shape(shown, "Array of ChatMember")
    assert [one["user"]["id"] for one in shown] == [stage.person.id, stage.bot.id]
    assert len(stage.call("getChatAdministrators", chat_id=chat.id, return_bots=True)) == 3


def test_a_private_chat_has_two_members_and_no_administrators(stage: Stage) -> None:
    stage.write()
    assert stage.call("getChatMemberCount", chat_id=stage.person.id) == 2
    assert stage.call("getChatMember", chat_id=stage.person.id, user_id=stage.bot.id)["status"] == "member"
    words = stage.refusal("getChatAdministrators", chat_id=stage.person.id)
    assert words == "Bad Request: there are no administrators in the private chat"
    words = stage.refusal("banChatMember", chat_id=stage.person.id, user_id=stage.person.id)
    assert words == "Bad Request: can't ban members in private chats"


def test_nobody_is_found_under_an_unknown_id(stage: Stage) -> None:
    supergroup, group = gather(stage), gather(stage, "group")
    words = stage.refusal("getChatMember", chat_id=supergroup.id, user_id=77)
    assert words == "Bad Request: PARTICIPANT_ID_INVALID"
    assert stage.refusal("getChatMember", chat_id=group.id, user_id=77) == "Bad Request: member not found"
    words = stage.refusal("getChatMember", chat_id=group.id, user_id=-5)
    assert words == "Bad Request: invalid user_id specified"


def test_who_is_banned_is_removed_and_cannot_come_back(stage: Stage) -> None:
    stage.bot.allowed_updates = ["message", "chat_member"]
    chat = gather(stage)
    bob = guest(stage, chat)
    assert stage.call("banChatMember", chat_id=chat.id, user_id=bob.id) is True
    assert told(stage.bot, "message")[0]["left_chat_member"]["id"] == bob.id
    change = told(stage.bot, "chat_member")[0]
    assert (change["old_chat_member"]["status"], change["new_chat_member"]["status"]) == ("member", "kicked")
    assert change["from"]["id"] == stage.bot.id
    shown = stage.call("getChatMember", chat_id=chat.id, user_id=bob.id)
    assert_shape(shown, "ChatMemberBanned")
    with pytest.raises(Exception, match="is banned"):
        membership.join(stage.world, bob, chat)


def test_a_ban_ends_with_its_time(stage: Stage) -> None:
    chat = gather(stage)
    bob = guest(stage, chat)
    stage.call("banChatMember", chat_id=chat.id, user_id=bob.id, until_date=int(stage.clock.time) + DAY)
    stage.clock.time += DAY
    assert stage.call("getChatMember", chat_id=chat.id, user_id=bob.id)["status"] == "left"
    membership.join(stage.world, bob, chat)


@pytest.mark.parametrize("seconds", [29, 367 * DAY])
def test_a_ban_that_is_too_short_or_too_long_never_ends(stage: Stage, seconds: int) -> None:
    chat = gather(stage)
    bob = guest(stage, chat)
    stage.call("banChatMember", chat_id=chat.id, user_id=bob.id, until_date=int(stage.clock.time) + seconds)
    assert stage.call("getChatMember", chat_id=chat.id, user_id=bob.id)["until_date"] == 0


def test_unbanning_who_is_inside_removes_them_unless_only_the_banned_are_meant(stage: Stage) -> None:
    stage.bot.allowed_updates = ["chat_member"]
    chat = gather(stage)
    bob = guest(stage, chat)
    assert stage.call("unbanChatMember", chat_id=chat.id, user_id=bob.id, only_if_banned=True) is True
    assert chat.has(bob.id)
    assert stage.call("unbanChatMember", chat_id=chat.id, user_id=bob.id) is True
    assert not chat.has(bob.id)
    changes = told(stage.bot, "chat_member")
    assert [change["new_chat_member"]["status"] for change in changes] == ["kicked", "left"]


def test_from_a_basic_group_people_are_only_removed(stage: Stage) -> None:
    chat = gather(stage, "group")
    bob = guest(stage, chat)
    assert stage.call("banChatMember", chat_id=chat.id, user_id=bob.id) is True
    assert stage.call("getChatMember", chat_id=chat.id, user_id=bob.id)["status"] == "left"
    membership.join(stage.world, bob, chat)
    words = stage.refusal("unbanChatMember", chat_id=chat.id, user_id=bob.id)
    assert words == "Bad Request: method is available for supergroup and channel chats only"


def test_who_is_restricted_may_not_write_until_it_ends(stage: Stage) -> None:
    chat = gather(stage)
    bob = guest(stage, chat)
    until = int(stage.clock.time) + DAY
    permissions = {"can_send_messages": False}
    call = {"chat_id": chat.id, "user_id": bob.id, "permissions": permissions, "until_date": until}
    assert stage.call("restrictChatMember", **call) is True
    shown = stage.call("getChatMember", chat_id=chat.id, user_id=bob.id)
    assert_shape(shown, "ChatMemberRestricted")
    assert (shown["is_member"], shown["until_date"], shown["can_send_messages"]) == (True, until, False)
    with pytest.raises(Exception, match="lack can_send_messages"):
        membership.check_may_write(stage.world, chat, bob)
    stage.clock.time = until
    membership.check_may_write(stage.world, chat, bob)
    assert stage.call("getChatMember", chat_id=chat.id, user_id=bob.id)["status"] == "member"


def test_one_permission_can_imply_others(stage: Stage) -> None:
    chat = gather(stage)
    bob = guest(stage, chat)
    call = {"chat_id": chat.id, "user_id": bob.id, "permissions": {"can_send_polls": True}}
    stage.call("restrictChatMember", **call)
    shown = stage.call("getChatMember", chat_id=chat.id, user_id=bob.id)
    assert (shown["can_send_polls"], shown["can_send_messages"], shown["can_send_photos"]) == (True, True, False)
    stage.call("restrictChatMember", **call, use_independent_chat_permissions=True)
    assert not stage.call("getChatMember", chat_id=chat.id, user_id=bob.id)["can_send_messages"]


def test_all_permissions_make_a_plain_member(stage: Stage) -> None:
    chat = gather(stage)
    bob = guest(stage, chat)
    stage.call("restrictChatMember", chat_id=chat.id, user_id=bob.id, permissions={})
    shown = stage.call("getChatMember", chat_id=chat.id, user_id=bob.id)
    permissions = {name: True for name in shown if name.startswith("can_")}
    stage.call("restrictChatMember", chat_id=chat.id, user_id=bob.id, permissions=permissions)
    assert stage.call("getChatMember", chat_id=chat.id, user_id=bob.id)["status"] == "member"


@pytest.mark.parametrize("name", ["banChatMember", "unbanChatMember", "restrictChatMember"])
def test_owner_and_bot_itself_cannot_be_restricted(stage: Stage, name: str) -> None:
    chat = gather(stage)
    more: dict[str, Any] = {"permissions": {}} if name == "restrictChatMember" else {}
    words = stage.refusal(name, chat_id=chat.id, user_id=stage.person.id, **more)
    assert words == "Bad Request: can't remove chat owner"
    words = stage.refusal(name, chat_id=chat.id, user_id=stage.bot.id, **more)
    assert words == "Bad Request: can't restrict self"


def test_an_administrator_is_not_banned_but_by_who_made_them_one(stage: Stage) -> None:
    chat = gather(stage, rights={"can_restrict_members": True, "can_promote_members": True})
    bob, ann = guest(stage, chat), guest(stage, chat, "Ann")
    membership.promote(stage.world, stage.person, chat, bob.id, rights=None, title="")
    words = stage.refusal("banChatMember", chat_id=chat.id, user_id=bob.id)
    assert words == "Bad Request: user is an administrator of the chat"
    stage.call("promoteChatMember", chat_id=chat.id, user_id=ann.id, can_restrict_members=True)
    assert stage.call("banChatMember", chat_id=chat.id, user_id=ann.id) is True


def test_without_the_right_nobody_is_banned(stage: Stage) -> None:
    chat = gather(stage, lead=False)
    bob = guest(stage, chat)
    words = stage.refusal("banChatMember", chat_id=chat.id, user_id=bob.id)
    assert words == "Bad Request: not enough rights to restrict/unrestrict chat member"
    words = stage.refusal("restrictChatMember", chat_id=gather(stage, "group").id, user_id=bob.id, permissions={})
    assert words == "Bad Request: method is available only for supergroups"


def test_a_removed_bot_is_told_and_refused_from_then_on(stage: Stage) -> None:
    chat = gather(stage)
    membership.remove(stage.world, stage.person, chat, stage.bot.id)
    assert told(stage.bot, "my_chat_member")[0]["new_chat_member"]["status"] == "kicked"
    assert told(stage.bot, "message")[0]["left_chat_member"]["id"] == stage.bot.id
    stage.write(chat=chat)
    assert not stage.bot.pending
    outcome = stage.call("sendMessage", chat_id=chat.id, text="hi")
    assert isinstance(outcome, ApiError)
    assert (outcome.code, outcome.description) == (403, "Forbidden: bot was kicked from the supergroup chat")


def test_a_bot_that_left_is_no_member(stage: Stage) -> None:
    chat = gather(stage, "group")
    assert stage.call("leaveChat", chat_id=chat.id) is True
    change = told(stage.bot, "my_chat_member")[0]
    assert (change["from"]["id"], change["new_chat_member"]["status"]) == (stage.bot.id, "left")
    words = stage.refusal("sendMessage", chat_id=chat.id, text="hi")
    assert words == "Forbidden: bot is not a member of the group chat"
    assert stage.refusal("leaveChat", chat_id=stage.private.id) == "Bad Request: can't leave private chats"


def test_a_channel_that_speaks_can_be_banned(stage: Stage) -> None:
    chat, channel = gather(stage), gather(stage, "channel")
    call = {"chat_id": chat.id, "sender_chat_id": channel.id}
    assert stage.call("banChatSenderChat", **call) is True
    assert stage.call("unbanChatSenderChat", **call) is True
    assert stage.refusal("banChatSenderChat", chat_id=chat.id, sender_chat_id=-1) == "Bad Request: chat not found"


def test_changes_of_members_wait_by_person_and_the_bots_own_by_chat(stage: Stage) -> None:
    stage.bot.allowed_updates = ["chat_member", "my_chat_member"]
    chat = gather(stage)
    bob, cid = guest(stage, chat), guest(stage, chat, "Cid")
    for person in (bob, cid):
        membership.leave(stage.world, person, chat)
        membership.join(stage.world, person, chat)
    membership.remove(stage.world, stage.person, chat, stage.bot.id)
    lanes = [update.lane for update in stage.bot.pending.values()]
    assert lanes[0] == lanes[1] != lanes[2] == lanes[3] != lanes[4]
