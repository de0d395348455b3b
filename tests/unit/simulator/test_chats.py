from typing import Any

import pytest

from botyard.simulator import people
from botyard.simulator.audience import post_service
from botyard.simulator.forms import Upload
from botyard.simulator.groups import bring_in
from botyard.simulator.images import blank_picture
from botyard.simulator.people import membership
from tests.unit.simulator.conftest import Stage
from tests.unit.simulator.gatherings import gather, guest, told
from tests.unit.simulator.shapes import assert_shape

PICTURE = Upload("chat.png", "image/png", blank_picture(640, 640))


@pytest.mark.parametrize("kind", ["group", "supergroup", "channel"])
def test_a_chat_is_described_in_full(stage: Stage, kind: str) -> None:
    chat = gather(stage, kind)
    stage.call("setChatDescription", chat_id=chat.id, description="Old friends")
    stage.call("setChatPhoto", chat_id=chat.id, photo=PICTURE)
    message_id = stage.call("sendMessage", chat_id=chat.id, text="Rules")["message_id"]
    stage.call("pinChatMessage", chat_id=chat.id, message_id=message_id)
    shown = stage.call("getChat", chat_id=chat.id)
    assert_shape(shown, "ChatFullInfo")
    assert (shown["type"], shown["description"], shown["pinned_message"]["text"]) == (kind, "Old friends", "Rules")
    assert ("permissions" in shown) == (kind != "channel")
    assert shown["photo"]["small_file_id"]


def test_a_public_chat_is_found_by_its_name_and_seen_from_outside(stage: Stage) -> None:
    chat = gather(stage, "channel")
    chat.username = "friends_news"
    other = stage.world.add_bot("4200000002:AAAA", "other_bot", "Other")
    assert stage.call_as(other, "getChat", chat_id="@Friends_News")["id"] == chat.id
    outcome = stage.call_as(other, "sendMessage", chat_id="@friends_news", text="hi")
    assert outcome.description == "Forbidden: bot is not a member of the channel chat"
    chat.username = ""
    assert stage.call_as(other, "getChat", chat_id=chat.id).description == "Bad Request: chat not found"


@pytest.mark.parametrize("kind", ["group", "supergroup", "channel"])
def test_a_bot_hears_of_the_title_and_picture_that_it_changes(stage: Stage, kind: str) -> None:
    chat = gather(stage, kind)
    assert stage.call("setChatTitle", chat_id=chat.id, title="  Best   friends ") is True
    assert stage.call("setChatTitle", chat_id=chat.id, title="Best friends") is True
    assert stage.call("setChatPhoto", chat_id=chat.id, photo=PICTURE) is True
    assert stage.call("deleteChatPhoto", chat_id=chat.id) is True
    heard = told(stage.bot, "channel_post" if kind == "channel" else "message")
    assert [one for message in heard for one in message if one.startswith(("new_", "delete_"))] == [
        "new_chat_title",
        "new_chat_photo",
        "delete_chat_photo",
    ]
    assert heard[0]["new_chat_title"] == "Best friends"
    assert ("from" in heard[0]) == (kind != "channel")


@pytest.mark.parametrize(
    ("method", "params", "words"),
    [
        ("setChatTitle", {"title": "New"}, "not enough rights to change chat title"),
        ("setChatDescription", {"description": "New"}, "not enough rights to set chat description"),
        ("setChatPhoto", {"photo": PICTURE}, "not enough rights to change chat photo"),
        ("deleteChatPhoto", {}, "not enough rights to change chat photo"),
        ("setChatPermissions", {"permissions": {}}, "not enough rights to change chat permissions"),
        ("pinChatMessage", {"message_id": 1}, "not enough rights to manage pinned messages in the chat"),
        ("unpinAllChatMessages", {}, "not enough rights to manage pinned messages in the chat"),
    ],
)
@pytest.mark.parametrize("kind", ["group", "supergroup"])
def test_a_plain_member_may_not_change_a_chat(
    stage: Stage, kind: str, method: str, params: dict[str, Any], words: str
) -> None:
    chat = gather(stage, kind, lead=False)
    assert stage.refusal(method, chat_id=chat.id, **params) == f"Bad Request: {words}"


@pytest.mark.parametrize(
    ("method", "params", "words"),
    [
        ("setChatTitle", {"title": "New"}, "can't change private chat title"),
        ("setChatDescription", {"description": "New"}, "can't change private chat description"),
        ("setChatPhoto", {"photo": PICTURE}, "can't change private chat photo"),
        ("setChatPermissions", {"permissions": {}}, "can't change private chat permissions"),
        ("createForumTopic", {"name": "Topic"}, "the chat is not a forum"),
    ],
)
def test_a_private_chat_cannot_be_changed(stage: Stage, method: str, params: dict[str, Any], words: str) -> None:
    stage.write()
    assert stage.refusal(method, chat_id=stage.person.id, **params) == f"Bad Request: {words}"


def test_wrong_values_are_refused(stage: Stage) -> None:
    chat = gather(stage)
    assert stage.refusal("setChatTitle", chat_id=chat.id, title="  ") == "Bad Request: title must be non-empty"
    words = stage.refusal("setChatDescription", chat_id=chat.id)
    assert words == "Bad Request: chat description is not modified"
    words = stage.refusal("setChatPhoto", chat_id=chat.id, photo="AgAD")
    assert words == "Bad Request: photo must be uploaded as an InputFile"
    permissions = {"can_send_polls": "perhaps"}
    words = stage.refusal("setChatPermissions", chat_id=chat.id, permissions=permissions)
    assert words.startswith("Bad Request: can't parse chat permissions")


def test_permissions_hold_for_plain_members(stage: Stage) -> None:
    chat = gather(stage)
    bob = guest(stage, chat)
    stage.call("setChatPermissions", chat_id=chat.id, permissions={"can_invite_users": True})
    assert stage.call("getChat", chat_id=chat.id)["permissions"]["can_send_messages"] is False
    with pytest.raises(Exception, match="lack can_send_messages"):
        membership.check_may_write(stage.world, chat, bob)
    other = stage.world.add_bot("4200000002:AAAA", "other_bot", "Other")
    bring_in(stage.world, chat, other.id, stage.person.id)
    words = stage.call_as(other, "sendMessage", chat_id=chat.id, text="hi").description
    assert words == "Bad Request: not enough rights to send text messages to the chat"
    assert stage.call("sendMessage", chat_id=chat.id, text="hi")["text"] == "hi"


def test_what_is_pinned_is_told_and_the_newest_is_shown(stage: Stage) -> None:
    chat = gather(stage)
    first, second = (stage.call("sendMessage", chat_id=chat.id, text=text)["message_id"] for text in "ab")
    for message_id in (first, second, first):
        assert stage.call("pinChatMessage", chat_id=chat.id, message_id=message_id) is True
    assert [message["pinned_message"]["text"] for message in told(stage.bot, "message")] == ["a", "b"]
    assert stage.call("getChat", chat_id=chat.id)["pinned_message"]["message_id"] == first
    assert stage.call("unpinChatMessage", chat_id=chat.id) is True
    assert stage.call("getChat", chat_id=chat.id)["pinned_message"]["message_id"] == second
    assert stage.call("unpinAllChatMessages", chat_id=chat.id) is True
    assert "pinned_message" not in stage.call("getChat", chat_id=chat.id)
    assert stage.refusal("unpinChatMessage", chat_id=chat.id) == "Bad Request: message to unpin not found"


def test_only_messages_that_say_something_are_pinned(stage: Stage) -> None:
    chat = gather(stage)
    service = post_service(stage.world, chat, stage.person.id, {"new_chat_title": "Friends"})
    words = stage.refusal("pinChatMessage", chat_id=chat.id, message_id=service.message_id)
    assert words == "Bad Request: service messages can't be pinned"
    words = stage.refusal("pinChatMessage", chat_id=chat.id, message_id=999)
    assert words == "Bad Request: message to pin not found"


def test_a_message_is_pinned_in_a_private_chat(stage: Stage) -> None:
    stage.write()
    message_id = stage.say("Rules")
    assert stage.call("pinChatMessage", chat_id=stage.person.id, message_id=message_id) is True
    assert told(stage.bot, "message")[-1]["pinned_message"]["text"] == "Rules"


def test_a_post_in_a_channel_is_heard_by_its_other_bots(stage: Stage) -> None:
    chat = gather(stage, "channel")
    other = stage.world.add_bot("4200000002:AAAA", "other_bot", "Other")
    bring_in(stage.world, chat, other.id, stage.person.id)
    sent = stage.call("sendMessage", chat_id=chat.id, text="News")
    assert_shape(sent, "Message")
    assert "from" not in sent
    assert sent["sender_chat"]["id"] == chat.id
    assert told(other, "channel_post") == [sent]
    assert not told(stage.bot, "channel_post")


def test_who_leads_a_channel_posts_in_it(stage: Stage) -> None:
    chat = gather(stage, "channel")
    bob = guest(stage, chat)
    stage.write("News", chat=chat)
    post = told(stage.bot, "channel_post")[0]
    assert (post["sender_chat"]["id"], "from" in post) == (chat.id, False)
    with pytest.raises(Exception, match="lack can_post_messages"):
        membership.check_may_write(stage.world, chat, bob)


def test_the_member_list_of_a_channel_is_for_those_who_lead_it(stage: Stage) -> None:
    chat = gather(stage, "channel")
    bob = guest(stage, chat)
    assert stage.call("getChatMember", chat_id=chat.id, user_id=bob.id)["status"] == "member"
    chat.members[stage.bot.id].status = "member"
    words = stage.refusal("getChatMember", chat_id=chat.id, user_id=bob.id)
    assert words == "Bad Request: member list is inaccessible"


def test_an_anonymous_administrator_speaks_as_the_group(stage: Stage) -> None:
    chat = gather(stage)
    bob = guest(stage, chat)
    membership.promote(stage.world, stage.person, chat, bob.id, rights={"is_anonymous": True}, title="")
    people.send(stage.world, stage.bot, bob, chat, text="Read the rules")
    message = told(stage.bot, "message")[0]
    assert (message["from"]["username"], message["sender_chat"]["id"]) == ("GroupAnonymousBot", chat.id)


def test_a_deleted_account_has_no_name(stage: Stage) -> None:
    stage.write()
    membership.deactivate(stage.world, stage.person, deactivated=True)
    assert stage.call("getChat", chat_id=stage.person.id)["first_name"] == ""
