from typing import Any

import pytest

from botyard.simulator.forms import Upload
from botyard.simulator.images import blank_picture, picture_size
from tests.unit.simulator.conftest import Stage
from tests.unit.simulator.shapes import assert_shape

PICTURE = blank_picture(640, 480)
LIMIT = 10 << 20
SENT = [
    ("sendPhoto", "photo", "a.png", {}),
    ("sendAudio", "audio", "song.mp3", {"duration": 3, "performer": "Ann", "title": "La"}),
    ("sendDocument", "document", "list.pdf", {}),
    ("sendVideo", "video", "film.mp4", {"duration": 2, "width": 320, "height": 240}),
    ("sendAnimation", "animation", "loop.mp4", {"duration": 1, "width": 32, "height": 24}),
    ("sendVoice", "voice", "note.ogg", {"duration": 4}),
    ("sendVideoNote", "video_note", "round.mp4", {"duration": 5, "length": 240}),
    ("sendSticker", "sticker", "cat.webp", {"emoji": "🐱"}),
]


def upload(name: str = "a.png", content: bytes = PICTURE, mime_type: str = "") -> Upload:
    return Upload(name, mime_type, content)


def send(stage: Stage, name: str, **params: Any) -> dict[str, Any]:
    message = stage.call(name, chat_id=stage.person.id, **params)
    assert_shape(message, "Message")
    return dict(message)


def refused(stage: Stage, name: str, **params: Any) -> str:
    return stage.refusal(name, chat_id=stage.person.id, **params).removeprefix("Bad Request: ")


@pytest.fixture(autouse=True)
def _talk(stage: Stage) -> None:
    stage.world.settings.flood = False
    stage.write()


@pytest.mark.parametrize(("method", "kind", "name", "told"), SENT)
def test_a_file_is_shown_as_what_it_was_sent_as(
    stage: Stage, method: str, kind: str, name: str, told: dict[str, Any]
) -> None:
    message = send(stage, method, **{kind: upload(name)}, **told)
    shown = message[kind][-1] if kind == "photo" else message[kind]
    assert told.items() <= shown.items()
    assert shown["file_size"] == len(PICTURE)


@pytest.mark.parametrize(("method", "kind", "name", "told"), SENT)
def test_a_file_is_sent_again_by_its_id(stage: Stage, method: str, kind: str, name: str, told: dict[str, Any]) -> None:
    first = send(stage, method, **{kind: upload(name)}, **told)[kind]
    shown = first[0] if kind == "photo" else first
    assert send(stage, method, **{kind: shown["file_id"]})[kind] == first


def test_a_photo_comes_in_a_small_and_its_own_size(stage: Stage) -> None:
    sizes = send(stage, "sendPhoto", photo=upload())["photo"]
    assert [(size["width"], size["height"]) for size in sizes] == [(90, 68), (640, 480)]
    assert len({size["file_unique_id"] for size in sizes}) == 2


def test_another_bots_file_id_is_no_good(stage: Stage) -> None:
    other = stage.world.add_bot("4200000002:BBBB", "other_bot", "Other")
    stage.world.private_chat(other.id, stage.person.id)
    file_id = send(stage, "sendDocument", document=upload())["document"]["file_id"]
    outcome = stage.call_as(other, "sendDocument", chat_id=stage.person.id, document=file_id)
    assert outcome.description == "Bad Request: wrong file identifier/HTTP URL specified"
    assert stage.call_as(other, "getFile", file_id=file_id).description == "Bad Request: invalid file_id"


def test_bots_of_a_group_know_one_file_by_ids_of_their_own(stage: Stage) -> None:
    other = stage.world.add_bot("4200000002:BBBB", "other_bot", "Other")
    group = stage.world.add_group("Friends", [stage.person.id, stage.bot.id, other.id])
    mine = stage.call("sendPhoto", chat_id=group.id, photo=upload())["photo"][-1]
    message = next(iter(group.messages.values()))
    theirs = stage.world.show(group, message, viewer=other.id)["photo"][-1]
    assert mine["file_unique_id"] == theirs["file_unique_id"]
    assert mine["file_id"] != theirs["file_id"]
    assert stage.call_as(other, "getFile", file_id=theirs["file_id"])["file_size"] == len(PICTURE)


@pytest.mark.parametrize(
    ("method", "params", "words"),
    [
        ("sendPhoto", {}, "there is no photo in the request"),
        ("sendVideoNote", {"video_note": ""}, "there is no video note in the request"),
        ("sendPhoto", {"photo": "attach://nothing"}, "there is no photo in the request"),
        ("sendPhoto", {"photo": upload(content=b"no picture")}, "IMAGE_PROCESS_FAILED"),
        ("sendPhoto", {"photo": upload(content=b"")}, "file must be non-empty"),
        ("sendPhoto", {"photo": upload(content=blank_picture(21, 1))}, "PHOTO_INVALID_DIMENSIONS"),
        ("sendPhoto", {"photo": upload(content=blank_picture(9000, 1001))}, "PHOTO_INVALID_DIMENSIONS"),
        (
            "sendPhoto",
            {"photo": upload(content=PICTURE + bytes(LIMIT))},
            f"file of size {len(PICTURE) + LIMIT} bytes is too big for a photo; the maximum size is {LIMIT} bytes",
        ),
        ("sendPhoto", {"photo": "!!"}, "wrong remote file identifier specified: Wrong character in the string"),
        (
            "sendPhoto",
            {"photo": "ftp://example.org/a.png"},
            "invalid file HTTP URL specified: Unsupported URL protocol",
        ),
        ("sendPhoto", {"photo": "https://gone.invalid/a.png"}, "failed to get HTTP URL content"),
        ("sendPhoto", {"photo": "https://example.org/a.pdf"}, "wrong type of the web page content"),
        ("sendDocument", {"document": "https://example.org/a.docx"}, "wrong type of the web page content"),
        ("sendDocument", {"document": upload(), "caption": "x" * 1025}, "message caption is too long"),
    ],
)
def test_what_telegram_refuses_as_a_file_is_refused(
    stage: Stage, method: str, params: dict[str, Any], words: str
) -> None:
    assert refused(stage, method, **params) == words


def test_more_than_fifty_megabytes_are_turned_away_by_the_server(stage: Stage) -> None:
    outcome = stage.call("sendDocument", chat_id=stage.person.id, document=upload(content=bytes((50 << 20) + 1)))
    assert (outcome.code, outcome.description) == (413, "Request Entity Too Large")


def test_a_document_is_no_photo_and_a_photo_no_document(stage: Stage) -> None:
    document = send(stage, "sendDocument", document=upload())["document"]["file_id"]
    photo = send(stage, "sendPhoto", photo=upload())["photo"][0]["file_id"]
    assert refused(stage, "sendPhoto", photo=document) == "can't use file of type Document as Photo"
    assert refused(stage, "sendDocument", document=photo) == "can't use file of type Photo as Document"


def test_a_file_keeps_its_kind_whatever_method_sends_it_again(stage: Stage) -> None:
    document = send(stage, "sendDocument", document=upload("a.pdf"))["document"]
    assert send(stage, "sendVideo", video=document["file_id"])["document"] == document


def test_an_animation_is_a_document_as_well(stage: Stage) -> None:
    message = send(stage, "sendDocument", document=upload("a.gif", b"GIF89a...", "image/gif"))
    assert message["animation"]["file_id"] == message["document"]["file_id"]


def test_a_url_stands_for_a_file_and_nothing_is_fetched(stage: Stage) -> None:
    assert send(stage, "sendPhoto", photo="https://example.org/cat.jpg")["photo"][-1]["width"] == 800
    shown = send(stage, "sendDocument", document="https://example.org/list.pdf")["document"]
    assert (shown["file_name"], shown["mime_type"]) == ("list.pdf", "application/pdf")


def test_a_caption_is_formatted_and_stands_where_it_is_wanted(stage: Stage) -> None:
    options = {"parse_mode": "HTML", "show_caption_above_media": True, "has_spoiler": "true"}
    message = send(stage, "sendPhoto", photo=upload(), caption="<b>Hi</b>", **options)
    assert message["caption"] == "Hi"
    assert message["caption_entities"] == [{"type": "bold", "offset": 0, "length": 2}]
    assert message["show_caption_above_media"] is message["has_media_spoiler"] is True


def test_a_thumbnail_is_attached(stage: Stage) -> None:
    params = {"thumbnail": "attach://small", "small": upload("t.png", blank_picture(32, 24))}
    assert send(stage, "sendVideo", video=upload("a.mp4"), **params)["video"]["thumbnail"]["width"] == 32


def album(*kinds: str) -> dict[str, Any]:
    items = [{"type": kind, "media": f"attach://file{at}", "caption": str(at)} for at, kind in enumerate(kinds)]
    return {"media": items} | {f"file{at}": upload() for at in range(len(kinds))}


def test_an_album_is_several_messages_with_one_group_id(stage: Stage) -> None:
    messages = stage.call("sendMediaGroup", chat_id=stage.person.id, **album("photo", "video", "photo"))
    assert_shape(messages, "Array of Message")
    assert [message["caption"] for message in messages] == ["0", "1", "2"]
    assert len({message["media_group_id"] for message in messages}) == 1
    assert [message["message_id"] for message in messages] == [2, 3, 4]


@pytest.mark.parametrize(
    ("kinds", "words"),
    [
        ((), "too few messages to send as an album"),
        (("photo",), "too few messages to send as an album"),
        (("photo",) * 11, "too many messages to send as an album"),
        (("photo", "document"), "document can't be mixed with other media types"),
        (("audio", "video"), "audio can't be mixed with other media types"),
        (("photo", "animation"), "can't parse InputMedia: type \"animation\" can't be used in sendMediaGroup"),
        (("photo", "voice"), 'can\'t parse InputMedia: type "voice" is unsupported'),
    ],
)
def test_an_album_of_a_wrong_size_or_mixture_is_refused(stage: Stage, kinds: tuple[str, ...], words: str) -> None:
    assert refused(stage, "sendMediaGroup", **album(*kinds)) == words


def test_an_album_counts_as_many_messages_as_it_has(stage: Stage) -> None:
    stage.world.settings.flood = True
    assert isinstance(stage.call("sendMediaGroup", chat_id=stage.person.id, **album(*["photo"] * 10)), list)
    assert isinstance(stage.call("sendMediaGroup", chat_id=stage.person.id, **album(*["photo"] * 10)), list)
    assert stage.refusal("sendMessage", chat_id=stage.person.id, text="x").startswith("Too Many Requests")


def test_paid_media_tells_its_price(stage: Stage) -> None:
    media = [{"type": "photo", "media": "attach://a"}]
    message = send(stage, "sendPaidMedia", star_count=5, media=media, a=upload())
    assert message["paid_media"]["star_count"] == 5
    assert refused(stage, "sendPaidMedia", star_count=0, media=media, a=upload()) == "STARS_AMOUNT_INVALID"


def test_a_group_may_forbid_photos_alone(stage: Stage) -> None:
    group = stage.world.add_group("Friends", [stage.person.id, stage.bot.id])
    group.permissions["can_send_photos"] = False
    words = stage.refusal("sendPhoto", chat_id=group.id, photo=upload())
    assert words == "Bad Request: not enough rights to send photos to the chat"
    assert isinstance(stage.call("sendMessage", chat_id=group.id, text="words are fine"), dict)


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (PICTURE, (640, 480)),
        (b"GIF89a\x02\x00\x03\x00", (2, 3)),
        (b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x11\x08\x00\x03\x00\x02", (2, 3)),
        (b"RIFF\0\0\0\0WEBPVP8X\0\0\0\0\0\0\0\0\x01\0\0\x02\0\0", (2, 3)),
        (b"\xff\xd8", None),
        (b"\x89PNG\r\n\x1a\n", None),
        (b"<svg/>", None),
    ],
)
def test_the_size_of_a_picture_is_read_from_its_head(data: bytes, size: tuple[int, int] | None) -> None:
    assert picture_size(data) == size
