from typing import Any

import pytest

from tests.unit.simulator.conftest import Stage
from tests.unit.simulator.shapes import assert_shape
from tests.unit.simulator.test_media import album, upload


@pytest.fixture(autouse=True)
def _talk(stage: Stage) -> None:
    stage.write()


def photo(stage: Stage, **params: Any) -> dict[str, Any]:
    sent = stage.call("sendPhoto", chat_id=stage.person.id, photo=upload(), caption="old", **params)
    return {"chat_id": stage.person.id, "message_id": sent["message_id"]}


def test_a_caption_is_changed_and_removed(stage: Stage) -> None:
    where = photo(stage)
    edited = stage.call("editMessageCaption", **where, caption="new")
    assert_shape(edited, "Message")
    assert edited["caption"] == "new"
    assert len(edited["photo"]) == 2
    assert "caption" not in stage.call("editMessageCaption", **where)
    assert stage.refusal("editMessageCaption", **where).startswith("Bad Request: message is not modified")


def test_text_and_caption_are_not_taken_for_each_other(stage: Stage) -> None:
    words = "Bad Request: there is no {} in the message to edit"
    assert stage.refusal("editMessageText", **photo(stage), text="x") == words.format("text")
    text = {"chat_id": stage.person.id, "message_id": stage.say()}
    assert stage.refusal("editMessageCaption", **text, caption="x") == words.format("caption")


def test_media_replaces_media_and_text(stage: Stage) -> None:
    media = {"type": "document", "media": "attach://new", "caption": "list"}
    edited = stage.call("editMessageMedia", **photo(stage), media=media, new=upload("a.pdf"))
    assert_shape(edited, "Message")
    assert (edited["document"]["file_name"], edited["caption"]) == ("a.pdf", "list")
    assert "photo" not in edited
    where = {"chat_id": stage.person.id, "message_id": stage.say()}
    assert "text" not in stage.call("editMessageMedia", **where, media=media, new=upload("a.pdf"))


def test_media_of_a_voice_note_stays(stage: Stage) -> None:
    sent = stage.call("sendVoice", chat_id=stage.person.id, voice=upload("a.ogg"))
    where = {"chat_id": stage.person.id, "message_id": sent["message_id"]}
    media = {"type": "photo", "media": "attach://new"}
    words = stage.refusal("editMessageMedia", **where, media=media, new=upload())
    assert words == "Bad Request: message media can't be edited"


def test_an_album_takes_only_media_of_its_kind(stage: Stage) -> None:
    sent = stage.call("sendMediaGroup", chat_id=stage.person.id, **album("photo", "photo"))[0]
    where = {"chat_id": stage.person.id, "message_id": sent["message_id"]}
    media = {"type": "document", "media": "attach://new"}
    words = stage.refusal("editMessageMedia", **where, media=media, new=upload())
    assert words == "Bad Request: can't use the media of the specified type in the album"
    edited = stage.call("editMessageMedia", **where, media=media | {"type": "video"}, new=upload())
    assert edited["media_group_id"] == sent["media_group_id"]


def test_an_edit_keeps_what_is_protected_protected(stage: Stage) -> None:
    where = {"chat_id": stage.person.id, "message_id": stage.say(protect_content=True)}
    assert stage.call("editMessageText", **where, text="new")["has_protected_content"] is True


@pytest.mark.parametrize("name", ["editMessageText", "editMessageCaption", "editMessageReplyMarkup"])
def test_an_edit_of_nothing_is_refused(stage: Stage, name: str) -> None:
    assert stage.refusal(name, text="x") == "Bad Request: message identifier is not specified"
    words = stage.refusal(name, text="x", chat_id=stage.person.id, message_id=99)
    assert words == "Bad Request: message to edit not found"
    assert stage.refusal(name, text="x", inline_message_id="abc") == "Bad Request: MESSAGE_ID_INVALID"


def test_a_forwarded_message_cannot_be_edited(stage: Stage) -> None:
    sent = stage.call("forwardMessage", chat_id=stage.person.id, from_chat_id=stage.person.id, message_id=1)
    words = stage.refusal("editMessageText", chat_id=stage.person.id, message_id=sent["message_id"], text="x")
    assert words == "Bad Request: message can't be edited"


def test_blanks_around_a_text_are_cut_off_and_its_entities_moved(stage: Stage) -> None:
    sent = stage.call("sendMessage", chat_id=stage.person.id, text=" \n<b> one </b>two<i> </i>\n", parse_mode="HTML")
    assert sent["text"] == "one two"
    assert sent["entities"] == [{"type": "bold", "offset": 0, "length": 4}]


def test_the_preview_of_a_link_is_told(stage: Stage) -> None:
    where = {"chat_id": stage.person.id, "text": "https://example.org"}
    options = {"url": "https://example.org", "prefer_small_media": True}
    assert stage.call("sendMessage", **where, link_preview_options=options)["link_preview_options"] == options
    sent = stage.call("sendMessage", **where, disable_web_page_preview=True)
    assert sent["link_preview_options"] == {"is_disabled": True}
    edited = stage.call("editMessageText", **where, message_id=sent["message_id"])
    assert_shape(edited, "Message")
    assert "link_preview_options" not in edited


def test_a_message_sent_by_way_of_a_bot_is_edited_by_its_inline_id(stage: Stage) -> None:
    chat = stage.private
    content = {"photo": [{"file_unique_id": "x", "width": 1, "height": 1}], "via_bot": stage.bot.card()}
    message = stage.world.add_message(chat, stage.person.id, content)
    stage.world.inline_messages["abc"] = (stage.bot.id, chat.id, message.message_id)
    assert stage.call("editMessageCaption", inline_message_id="abc", caption="new") is True
    assert (message.content["caption"], message.content["via_bot"]) == ("new", stage.bot.card())
    other = stage.world.add_bot("4200000002:BBBB", "other_bot", "Other")
    refusal = stage.call_as(other, "editMessageCaption", inline_message_id="abc", caption="x")
    assert refusal.description == "Bad Request: MESSAGE_ID_INVALID"
