import pytest

from botyard.simulator.people import membership
from tests.unit.simulator.conftest import Stage
from tests.unit.simulator.gatherings import gather, guest, told
from tests.unit.simulator.shapes import assert_shape

PROMOTER = {"can_promote_members": True, "can_delete_messages": True, "can_pin_messages": True}


def test_a_bot_gives_rights_that_it_has(stage: Stage) -> None:
    stage.bot.allowed_updates = ["chat_member"]
    chat = gather(stage, rights=PROMOTER)
    bob = guest(stage, chat)
    assert stage.call("promoteChatMember", chat_id=chat.id, user_id=bob.id, can_delete_messages=True) is True
    shown = stage.call("getChatMember", chat_id=chat.id, user_id=bob.id)
    assert_shape(shown, "ChatMemberAdministrator")
    assert (shown["can_be_edited"], shown["can_delete_messages"], shown["can_pin_messages"]) == (True, True, False)
    assert told(stage.bot, "chat_member")[0]["new_chat_member"] == shown
    words = stage.refusal("promoteChatMember", chat_id=chat.id, user_id=bob.id, can_invite_users=True)
    assert words == "Bad Request: RIGHT_FORBIDDEN"


def test_no_right_at_all_makes_a_plain_member(stage: Stage) -> None:
    chat = gather(stage, rights=PROMOTER)
    bob = guest(stage, chat)
    stage.call("promoteChatMember", chat_id=chat.id, user_id=bob.id, can_delete_messages=True)
    assert stage.call("promoteChatMember", chat_id=chat.id, user_id=bob.id) is True
    assert stage.call("getChatMember", chat_id=chat.id, user_id=bob.id)["status"] == "member"
    assert stage.call("promoteChatMember", chat_id=chat.id, user_id=bob.id, can_manage_chat=False) is True


def test_an_administrator_named_by_somebody_else_is_out_of_reach(stage: Stage) -> None:
    chat = gather(stage, rights=PROMOTER)
    bob = guest(stage, chat)
    membership.promote(stage.world, stage.person, chat, bob.id, rights=None, title="")
    for rights in ({}, {"can_delete_messages": True}):
        words = stage.refusal("promoteChatMember", chat_id=chat.id, user_id=bob.id, **rights)
        assert words == "Bad Request: CHAT_ADMIN_REQUIRED"
    words = stage.refusal("setChatAdministratorCustomTitle", chat_id=chat.id, user_id=bob.id, custom_title="x")
    assert words == "Bad Request: not enough rights to change custom title of the user"


@pytest.mark.parametrize(
    ("who", "words"),
    [("owner", "can't remove chat owner"), ("self", "can't promote self"), ("stranger", "USER_NOT_MUTUAL_CONTACT")],
)
def test_some_cannot_be_promoted(stage: Stage, who: str, words: str) -> None:
    chat = gather(stage, rights=PROMOTER)
    stranger = guest(stage, gather(stage))
    user_id = {"owner": stage.person.id, "self": stage.bot.id, "stranger": stranger.id}[who]
    refusal = stage.refusal("promoteChatMember", chat_id=chat.id, user_id=user_id, can_delete_messages=True)
    assert refusal == f"Bad Request: {words}"


def test_promoting_needs_a_supergroup_and_the_right(stage: Stage) -> None:
    group, supergroup = gather(stage, "group"), gather(stage, lead=False)
    bob = guest(stage, supergroup)
    words = stage.refusal("promoteChatMember", chat_id=group.id, user_id=bob.id, can_pin_messages=True)
    assert words == "Bad Request: method is available for supergroup and channel chats only"
    words = stage.refusal("promoteChatMember", chat_id=supergroup.id, user_id=bob.id, can_pin_messages=True)
    assert words == "Bad Request: not enough rights"


def test_in_a_channel_who_leads_may_also_remove_unless_it_is_denied(stage: Stage) -> None:
    rights = {"can_promote_members": True, "can_post_messages": True, "can_restrict_members": True}
    chat = gather(stage, "channel", rights=rights)
    bob = guest(stage, chat)
    stage.call("promoteChatMember", chat_id=chat.id, user_id=bob.id, can_post_messages=True)
    shown = stage.call("getChatMember", chat_id=chat.id, user_id=bob.id)
    assert_shape(shown, "ChatMemberAdministrator")
    assert (shown["can_post_messages"], shown["can_restrict_members"], "can_pin_messages" in shown) == (
        True,
        True,
        False,
    )


def test_an_administrator_has_a_title(stage: Stage) -> None:
    chat = gather(stage, rights=PROMOTER)
    bob = guest(stage, chat)
    call = {"chat_id": chat.id, "user_id": bob.id, "custom_title": "Helper"}
    assert stage.refusal("setChatAdministratorCustomTitle", **call) == "Bad Request: user is not an administrator"
    stage.call("promoteChatMember", chat_id=chat.id, user_id=bob.id, can_delete_messages=True)
    assert stage.call("setChatAdministratorCustomTitle", **call) is True
    assert stage.call("getChatMember", chat_id=chat.id, user_id=bob.id)["custom_title"] == "Helper"
    words = stage.refusal("setChatAdministratorCustomTitle", **call | {"custom_title": "\U0001f600"})
    assert words == "Bad Request: CUSTOM_TITLE_EMOJI_NOT_ALLOWED"
    words = stage.refusal("setChatAdministratorCustomTitle", **call | {"user_id": stage.person.id})
    assert words == "Bad Request: only the owner can edit their custom title"


def test_a_plain_member_has_a_tag(stage: Stage) -> None:
    chat = gather(stage)
    bob = guest(stage, chat)
    assert stage.call("setChatMemberTag", chat_id=chat.id, user_id=bob.id, tag="Guest") is True
    shown = stage.call("getChatMember", chat_id=chat.id, user_id=bob.id)
    assert_shape(shown, "ChatMemberMember")
    assert shown["tag"] == "Guest"
    words = stage.refusal("setChatMemberTag", chat_id=chat.id, user_id=stage.person.id, tag="Guest")
    assert words == "Bad Request: TAG_CHANGE_FORBIDDEN"


def test_a_bot_is_told_of_its_own_promotion(stage: Stage) -> None:
    chat = gather(stage, "group", lead=False)
    membership.promote(stage.world, stage.person, chat, stage.bot.id, rights=None, title="")
    change = told(stage.bot, "my_chat_member")[0]
    assert (change["old_chat_member"]["status"], change["new_chat_member"]["status"]) == ("member", "administrator")
    assert change["new_chat_member"]["can_promote_members"] is False
