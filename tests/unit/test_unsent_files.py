"""The files of messages that are not sent yet."""

from typing import Any

import pytest
from telegram import Message
from telegram.ext import MessageHandler, filters

from botyard.media.attached import FILES
from botyard.telegram.unsent_files import attach, files_in, stand_in_of
from tests.factories import message
from tests.unit.conftest import Start

TOLD = {"sha256": "0" * 64, "size": 3, "name": "ä b.jpg", "type": "image/jpeg"}
METHODS = ["photo", "audio", "document", "video", "animation", "voice", "video_note", "sticker"]


@pytest.mark.parametrize("what", METHODS)
@pytest.mark.parametrize("given", ["an-id", b"content"])
async def test_a_noted_message_has_the_file_that_was_sent_with_it(
    talk_with: Start, what: str, given: str | bytes
) -> None:
    found: list[Any] = []

    async def handler(update: Any, _: Any) -> None:
        sent: Message = await getattr(update.message, f"reply_{what}")(given)
        file: Any = getattr(sent, what)
        found.append(file[-1].file_id if what == "photo" else file.file_id)
        await getattr(update.message, f"reply_{what}")(found[0])

    talk = await talk_with(lambda application: application.add_handler(MessageHandler(filters.ALL, handler)))
    run = await talk.give(message(1))
    assert run.errors == []
    first, again = (send.params for send in run.sends)
    if given == "an-id":
        assert found == ["an-id"]
        assert again[what] == "an-id"
    else:
        assert stand_in_of(found[0]) is not None
        assert again[FILES][what] == first[FILES][what], "sent by its content again"
        assert what not in again


def test_a_stand_in_in_an_album_and_in_an_edit_becomes_its_content() -> None:
    ((shown),) = (files_in({"chat_id": 5, FILES: {"photo": TOLD}}, "photo"),)
    file_id = shown[0]["photo"][0]["file_id"]
    album: dict[str, Any] = {"media": [{"type": "photo", "media": "known"}, {"type": "photo", "media": file_id}]}
    attach(album)
    assert album["media"][1]["media"] == "attach://unsent1"
    assert album[FILES] == {"unsent1": TOLD}
    edit: dict[str, Any] = {"media": {"type": "photo", "media": file_id}}
    attach(edit)
    assert edit == {"media": {"type": "photo", "media": "attach://unsent0"}, FILES: {"unsent0": TOLD}}


@pytest.mark.parametrize("value", [None, 5, "AgACAgIAAx0", "unsent:", "unsent:no base64!", "unsent:e30"])
def test_what_is_no_stand_in_is_left_alone(value: Any) -> None:
    assert stand_in_of(value) is None
    params = {"photo": value}
    attach(params)
    assert params == {"photo": value}


def test_a_file_by_its_address_has_no_id_yet() -> None:
    assert files_in({"photo": "https://example.com/a.jpg"}, "photo") == [{}]
