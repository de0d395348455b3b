import pytest

from botyard.simulator.model import Chat, Member
from tests.unit.simulator.conftest import Stage
from tests.unit.simulator.shapes import assert_shape
from tests.unit.simulator.test_media import album, upload


@pytest.fixture
def group(stage: Stage) -> Chat:
    stage.write("from Ann")
    return stage.world.add_group("Friends", [stage.person.id, stage.bot.id])


def test_a_forwarded_message_tells_where_it_comes_from(stage: Stage, group: Chat) -> None:
    forwarded = stage.call("forwardMessage", chat_id=group.id, from_chat_id=stage.person.id, message_id=1)
    assert_shape(forwarded, "Message")
    origin = {"type": "user", "date": int(stage.clock()), "sender_user": stage.person.card()}
    assert (forwarded["text"], forwarded["forward_origin"]) == ("from Ann", origin)
    again = stage.call("forwardMessage", chat_id=stage.person.id, from_chat_id=group.id, message_id=1)
    assert again["forward_origin"] == origin


def test_a_post_of_a_channel_keeps_its_number_when_it_is_forwarded(stage: Stage, group: Chat) -> None:
    group.type = "channel"
    group.members[stage.bot.id] = Member("administrator", {"can_post_messages": True})
    post = stage.call("sendMessage", chat_id=group.id, text="news")
    assert_shape(post, "Message")
    assert "from" not in post
    forwarded = stage.call("forwardMessage", chat_id=stage.person.id, from_chat_id=group.id, message_id=1)
    assert_shape(forwarded, "Message")
    assert (forwarded["forward_origin"]["type"], forwarded["forward_origin"]["message_id"]) == ("channel", 1)


def test_a_copy_tells_nothing_and_may_have_another_caption(stage: Stage, group: Chat) -> None:
    sent = stage.call("sendPhoto", chat_id=stage.person.id, photo=upload(), caption="old")
    source = {"from_chat_id": stage.person.id, "message_id": sent["message_id"]}
    copied = stage.call("copyMessage", chat_id=group.id, **source, caption="new")
    assert_shape(copied, "MessageId")
    content = group.messages[copied["message_id"]].content
    assert content["caption"] == "new"
    assert "forward_origin" not in content


def test_what_is_protected_stays_where_it_is(stage: Stage, group: Chat) -> None:
    message_id = stage.say(protect_content=True)
    source = {"chat_id": group.id, "from_chat_id": stage.person.id, "message_id": message_id}
    assert stage.refusal("forwardMessage", **source) == "Bad Request: the message can't be forwarded"
    assert stage.refusal("copyMessage", **source) == "Bad Request: the message can't be copied"
    several = source | {"message_ids": [message_id]}
    assert stage.refusal("forwardMessages", **several) == "Bad Request: messages can't be forwarded"


def test_a_missing_message_is_named_by_what_was_wanted(stage: Stage, group: Chat) -> None:
    source = {"chat_id": group.id, "from_chat_id": stage.person.id, "message_id": 99}
    assert stage.refusal("forwardMessage", **source) == "Bad Request: message to forward not found"
    assert stage.refusal("copyMessage", **source) == "Bad Request: message to copy not found"
    assert stage.refusal("copyMessage", chat_id=group.id, message_id=1) == "Bad Request: from_chat_id is empty"


def test_several_are_forwarded_at_once_and_an_album_stays_one(stage: Stage, group: Chat) -> None:
    stage.call("sendMediaGroup", chat_id=stage.person.id, **album("photo", "photo"))
    where = {"chat_id": group.id, "from_chat_id": stage.person.id}
    made = stage.call("forwardMessages", **where, message_ids=[1, 2, 3, 99])
    assert_shape(made, "Array of MessageId")
    assert made == [{"message_id": 1}, {"message_id": 2}, {"message_id": 3}]
    groups = [message.content.get("media_group_id") for message in group.messages.values()]
    assert groups[0] is None
    assert groups[1] == groups[2] != stage.private.messages[2].content["media_group_id"]


@pytest.mark.parametrize(
    ("message_ids", "words"),
    [
        ([], "message identifiers are not specified"),
        (list(range(1, 102)), "too many message identifiers specified"),
        ([[1]], "message identifier must be a Number"),
        (["x"], "can't parse message identifier as a Number"),
        ([0], "invalid message identifier specified"),
        ([2, 1], "message identifiers must be in a strictly increasing order"),
        ([99], "messages can't be forwarded"),
    ],
)
def test_lists_of_messages_are_checked(stage: Stage, group: Chat, message_ids: list[object], words: str) -> None:
    where = {"chat_id": group.id, "from_chat_id": stage.person.id}
    for name in ("copyMessages", "forwardMessages"):
        assert stage.refusal(name, **where, message_ids=message_ids) == f"Bad Request: {words}"


def test_copies_may_leave_their_captions_behind(stage: Stage, group: Chat) -> None:
    stage.call("sendMediaGroup", chat_id=stage.person.id, **album("photo", "photo"))
    where = {"chat_id": group.id, "from_chat_id": stage.person.id}
    stage.call("copyMessages", **where, message_ids=[2, 3], remove_caption=True)
    assert all("caption" not in message.content for message in group.messages.values())


def test_a_reply_into_another_chat_shows_what_it_answers(stage: Stage, group: Chat) -> None:
    stage.call("sendPhoto", chat_id=group.id, photo=upload(), caption="look here")
    reply = {"chat_id": group.id, "message_id": 1, "quote": "here"}
    sent = stage.call("sendMessage", chat_id=stage.person.id, text="nice", reply_parameters=reply)
    assert_shape(sent, "Message")
    assert sent["quote"] == {"text": "here", "position": 5, "is_manual": True}
    assert sent["external_reply"]["photo"][-1]["width"] == 640
    wrong = {"message_id": 1, "quote": "not there"}
    words = stage.refusal("sendMessage", chat_id=group.id, text="x", reply_parameters=wrong)
    assert words == "Bad Request: QUOTE_TEXT_INVALID"
