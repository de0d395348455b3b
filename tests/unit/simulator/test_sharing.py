import base64
from typing import Any

import orjson
import pytest

from botyard.simulator.errors import ControlError
from botyard.simulator.images import blank_picture
from botyard.simulator.model import Member
from botyard.simulator.orders import ORDERS
from botyard.simulator.params import Params
from botyard.simulator.snapshot import dump, restore
from botyard.simulator.world import World
from tests.unit.simulator.conftest import Stage
from tests.unit.simulator.shapes import assert_shape

PICTURE = base64.b64encode(blank_picture(200, 100)).decode()


def order(stage: Stage, path: str, **params: Any) -> Any:
    given = {"bot_id": stage.bot.id, "person_id": stage.person.id} | params
    return ORDERS["POST", path](stage.simulator, Params(given))


def updates(stage: Stage, kind: str = "message") -> list[dict[str, Any]]:
    found = [orjson.loads(update.body) for update in stage.bot.pending.values() if update.kind == kind]
    for update in found:
        assert_shape(update[kind], "MessageReactionUpdated" if kind == "message_reaction" else "Message")
    return [update[kind] for update in found]


@pytest.mark.parametrize(
    ("kind", "file"),
    [
        ("photo", {"base64": PICTURE}),
        ("photo", {}),
        ("document", {"name": "a.txt", "mime_type": "text/plain", "base64": "aGk="}),
        ("voice", {"duration": 3}),
        ("video", {"duration": 3, "width": 10, "height": 10}),
        ("video_note", {"length": 240}),
        ("audio", {"title": "La"}),
        ("animation", {}),
        ("sticker", {"emoji": "🐱"}),
    ],
)
def test_a_person_sends_any_kind_of_file_and_the_bot_can_fetch_it(
    stage: Stage, kind: str, file: dict[str, Any]
) -> None:
    order(stage, "/sim/send", kind=kind, file=file)
    shown = updates(stage)[0][kind]
    found = stage.call("getFile", file_id=(shown[-1] if kind == "photo" else shown)["file_id"])
    assert_shape(found, "File")
    assert stage.world.vault.get(found["file_unique_id"])


def test_a_person_sends_an_album(stage: Stage) -> None:
    items = [{"kind": "photo", "caption": "/one"}, {"kind": "video"}]
    made = order(stage, "/sim/send", items=items)
    assert made["message_ids"] == [1, 2]
    first, second = updates(stage)
    assert first["media_group_id"] == second["media_group_id"]
    assert first["caption_entities"] == [{"type": "bot_command", "offset": 0, "length": 4}]


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"location": {"latitude": 1.0, "longitude": 2.0}}, "location"),
        ({"venue": {"location": {"latitude": 1.0, "longitude": 2.0}, "title": "x", "address": "y"}}, "venue"),
        ({"contact": {}}, "contact"),
        ({"dice": "🎰"}, "dice"),
    ],
)
def test_a_person_sends_a_place_their_number_or_a_dice(stage: Stage, params: dict[str, Any], field: str) -> None:
    order(stage, "/sim/send", **params)
    assert field in updates(stage)[0]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"kind": "hat"}, "kind must be one of"),
        ({"kind": "photo", "file": {"base64": "?"}}, "base64 is not valid"),
        ({"kind": "photo", "file": {"size": 3 << 30}}, "size is more than"),
        ({"kind": "photo", "file": {"file_unique_id": "x"}}, "there is no file x"),
        ({"kind": "sticker", "caption": "x"}, "has no caption"),
        ({"items": [{"kind": "photo"}]}, "2 to 10 items"),
        ({"items": [{"kind": "photo"}, {"kind": "audio"}]}, "an album holds"),
        ({"location": {}}, "a location needs"),
        ({"dice": "x"}, "dice must be one of"),
        ({"forward": {"message_id": 9}}, "there is no message 9 to forward"),
        ({"text": "x", "reply_to": 9}, "there is no message 9 to reply to"),
        ({"text": "x", "quote": "a"}, "a quote needs reply_to"),
    ],
)
def test_what_a_person_cannot_send_is_explained(stage: Stage, params: dict[str, Any], words: str) -> None:
    with pytest.raises(ControlError, match=words):
        order(stage, "/sim/send", **params)


def test_a_file_that_looks_too_large_cannot_be_fetched(stage: Stage) -> None:
    order(stage, "/sim/send", kind="document", file={"size": (20 << 20) + 1})
    file_id = updates(stage)[0]["document"]["file_id"]
    assert stage.refusal("getFile", file_id=file_id) == "Bad Request: file is too big"


def test_a_file_whose_bytes_were_dropped_is_unavailable(stage: Stage) -> None:
    order(stage, "/sim/send", kind="document", file={})
    shown = updates(stage)[0]["document"]
    stage.world.vault._drop(shown["file_unique_id"])
    words = "Bad Request: wrong file_id or the file is temporarily unavailable"
    assert stage.refusal("getFile", file_id=shown["file_id"]) == words


def test_a_person_quotes_and_forwards(stage: Stage) -> None:
    answer = stage.write() and stage.say("look over there")
    order(stage, "/sim/send", text="where?", reply_to=answer, quote="over")
    order(stage, "/sim/send", forward={"message_id": answer})
    quoting, forwarded = updates(stage)[1:]
    assert quoting["quote"] == {"text": "over", "position": 5, "is_manual": True}
    assert forwarded["forward_origin"]["sender_user"]["id"] == stage.bot.id


def test_a_person_changes_a_caption_and_deletes_the_message(stage: Stage) -> None:
    made = order(stage, "/sim/send", kind="photo", caption="old")
    order(stage, "/sim/edit", message_id=made["message_id"], text="new")
    edited = updates(stage, "edited_message")[0]
    assert (edited["caption"], len(edited["photo"])) == ("new", 2)
    order(stage, "/sim/delete", message_id=made["message_id"])
    assert stage.private.messages == {}


def test_in_a_group_people_delete_only_their_own(stage: Stage) -> None:
    group = stage.world.add_group("Friends", [stage.person.id, stage.bot.id])
    sent = stage.call("sendMessage", chat_id=group.id, text="mine")
    with pytest.raises(ControlError, match="can_delete_messages"):
        order(stage, "/sim/delete", chat_id=group.id, message_id=sent["message_id"])


def test_a_reaction_is_told_to_a_bot_that_asks_for_it(stage: Stage) -> None:
    stage.write()
    message_id = stage.say()
    assert order(stage, "/sim/react", message_id=message_id, emoji="👍")["update_id"] is None
    stage.bot.allowed_updates = ["message_reaction"]
    order(stage, "/sim/react", message_id=message_id, emoji="🔥")
    order(stage, "/sim/react", message_id=message_id)
    first, second = updates(stage, "message_reaction")
    assert first["old_reaction"] == [{"type": "emoji", "emoji": "👍"}]
    assert first["new_reaction"] == second["old_reaction"] == [{"type": "emoji", "emoji": "🔥"}]
    assert second["new_reaction"] == []


def test_in_a_group_only_administrators_hear_of_reactions(stage: Stage) -> None:
    stage.bot.allowed_updates = ["message", "message_reaction"]
    group = stage.world.add_group("Friends", [stage.person.id, stage.bot.id])
    written = stage.write(chat=group).message_id
    assert order(stage, "/sim/react", chat_id=group.id, message_id=written, emoji="👍")["update_id"] is None
    group.members[stage.bot.id] = Member("administrator")
    assert order(stage, "/sim/react", chat_id=group.id, message_id=written, emoji="🔥")["update_id"]


@pytest.mark.parametrize(
    ("reaction", "words"),
    [
        ([{"type": "emoji", "emoji": "🥐"}], "REACTION_INVALID"),
        ([{"type": "custom_emoji", "custom_emoji_id": "1"}], "REACTION_INVALID"),
        ([{"type": "emoji", "emoji": "👍"}, {"type": "emoji", "emoji": "🔥"}], "REACTIONS_TOO_MANY"),
        ([{"type": "paid"}], "can't parse ReactionType: invalid reaction type specified"),
        (["👍"], "can't parse ReactionType: expected an Object"),
    ],
)
def test_a_reaction_of_a_bot_is_one_that_telegram_has(stage: Stage, reaction: list[Any], words: str) -> None:
    where = {"chat_id": stage.person.id, "message_id": stage.write().message_id}
    assert stage.refusal("setMessageReaction", **where, reaction=reaction) == f"Bad Request: {words}"


def test_a_bot_reacts_and_takes_it_back(stage: Stage) -> None:
    where = {"chat_id": stage.person.id, "message_id": stage.write().message_id}
    assert stage.call("setMessageReaction", **where, reaction=[{"type": "emoji", "emoji": "❤️"}]) is True
    assert stage.private.messages[1].reactions == {stage.bot.id: [{"type": "emoji", "emoji": "❤"}]}
    assert stage.call("setMessageReaction", **where) is True
    assert stage.private.messages[1].reactions == {}
    words = stage.refusal("setMessageReaction", chat_id=stage.person.id, message_id=99)
    assert words == "Bad Request: message to react not found"


def test_profile_photos_of_people_are_shown_newest_first(stage: Stage) -> None:
    order(stage, "/sim/photo", file={"base64": PICTURE})
    order(stage, "/sim/photo", file={})
    photos = stage.call("getUserProfilePhotos", user_id=stage.person.id, limit=1)
    assert_shape(photos, "UserProfilePhotos")
    assert (photos["total_count"], photos["photos"][0][-1]["width"]) == (2, 800)
    assert stage.refusal("getUserProfilePhotos", user_id=1) == "Bad Request: user not found"


def test_an_invoice_that_a_person_forwards_can_be_paid_in_its_copy(stage: Stage) -> None:
    assert stage.private
    bill = {"title": "Hat", "description": "Felt", "payload": "h", "currency": "XTR"}
    sent = stage.call("sendInvoice", chat_id=stage.person.id, prices=[{"label": "Hat", "amount": 5}], **bill)
    copy = order(stage, "/sim/send", forward={"message_id": sent["message_id"]})["message_id"]
    assert updates(stage)[0]["reply_markup"] == sent["reply_markup"]
    assert order(stage, "/sim/pay", message_id=copy)["kind"] == "pre_checkout"


def test_a_person_changes_only_what_they_wrote_and_what_has_words(stage: Stage) -> None:
    written = stage.write().message_id
    copy = order(stage, "/sim/send", forward={"message_id": written})["message_id"]
    by_bot = stage.write().message_id
    stage.private.messages[by_bot].content["via_bot"] = stage.bot.card()
    place = order(stage, "/sim/send", location={"latitude": 1.0, "longitude": 2.0})["message_id"]
    for message_id, words in (
        (copy, "only what the person wrote"),
        (by_bot, "only what"),
        (place, "no text or caption"),
    ):
        with pytest.raises(ControlError, match=words):
            order(stage, "/sim/edit", message_id=message_id, text="x")
    order(stage, "/sim/edit", message_id=written, text="x")
    assert [message["message_id"] for message in updates(stage, "edited_message")] == [written]


@pytest.mark.parametrize(
    "reaction",
    [["👍"], [None], [{}], [{"type": "emoji"}], [{"type": "emoji", "emoji": "🥐"}], [{"type": "custom_emoji"}]],
)
def test_a_reaction_of_a_person_is_one_that_telegram_has(stage: Stage, reaction: list[Any]) -> None:
    with pytest.raises(ControlError, match="reaction must be a list of ReactionType"):
        order(stage, "/sim/react", message_id=stage.write().message_id, reaction=reaction)
    restore(World(stage.clock), dump(stage.world))


def test_people_react_with_all_types_of_reaction(stage: Stage) -> None:
    given = [{"type": "emoji", "emoji": "❤️"}, {"type": "custom_emoji", "custom_emoji_id": "5"}, {"type": "paid"}]
    order(stage, "/sim/react", message_id=stage.write().message_id, reaction=given)
    assert stage.private.messages[1].reactions == {stage.person.id: [{"type": "emoji", "emoji": "❤"}, *given[1:]]}
