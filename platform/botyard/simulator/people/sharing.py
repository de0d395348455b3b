"""People send what is more than text: files, albums, places, contacts; and forward what they have read."""

import base64
import binascii
from typing import Any

from botyard.simulator.entities import find_commands
from botyard.simulator.errors import ControlError
from botyard.simulator.forms import Upload
from botyard.simulator.images import blank_picture
from botyard.simulator.media import KINDS, content_of, keep
from botyard.simulator.model import Chat, File, Json, Message, Person
from botyard.simulator.params import Params
from botyard.simulator.world import World

CAPTION_LIMIT = 1024
ALBUM_SIZES = range(2, 11)
ALBUMS = (frozenset({"photo", "video"}), frozenset({"audio"}), frozenset({"document"}))
"""Kinds that go together in an album."""
BLANK_SIZE = (800, 600)
LARGEST = 2 << 30
"""Bytes of a file that a person can send."""
DICE = {"🎲": 6, "🎯": 6, "🎳": 6, "🏀": 5, "⚽": 5, "🎰": 64}


def file_content(world: World, kind: str, given: Json, caption: str = "") -> Json:
    """Return the content of a message with a file of a person.

    Args:
        world: whose vault keeps it.
        kind: what it is, such as ``photo``.
        given: its bytes in ``base64``, or the ``file_unique_id`` of one that was sent before, or neither for one that
            stands for any; ``name``, ``mime_type``, fields of its Telegram type such as ``duration`` in seconds; and
            ``size`` in bytes, to make it look larger than it is.
        caption: at most 1024 characters.
    """
    if kind not in KINDS or kind == "thumbnail":
        raise ControlError(400, f"kind must be one of {', '.join(sorted(KINDS.keys() - {'thumbnail'}))}")
    if len(caption) > CAPTION_LIMIT or (caption and not KINDS[kind].captioned):
        raise ControlError(400, f"a {kind} has no caption, or it is longer than {CAPTION_LIMIT} characters")
    file = _keep(world, kind, given)
    content = content_of(file)
    if caption:
        content["caption"] = caption
        entities = find_commands(caption)
        if entities:
            content["caption_entities"] = entities
    return content


def album_contents(world: World, items: list[Any]) -> list[Json]:
    """Return the contents of the messages of an album.

    Args:
        world: whose vault keeps the files.
        items: two to ten objects with ``kind``, ``file`` and ``caption``.
    """
    if len(items) not in ALBUM_SIZES or not all(isinstance(item, dict) for item in items):
        raise ControlError(400, "an album has 2 to 10 items, objects with kind, file and caption")
    kinds = {item.get("kind") for item in items}
    if not any(kinds <= together for together in ALBUMS):
        raise ControlError(400, "an album holds photos and videos, or audio files, or documents")
    group_id = str(world.ids.getrandbits(54))
    contents = []
    for item in items:
        params = Params(item)
        content = file_content(world, params.text("kind"), params.dictionary("file") or {}, params.text("caption"))
        contents.append(content | {"media_group_id": group_id})
    return contents


def plain_content(world: World, person: Person, params: Params) -> Json | None:
    """Return the content of a message with a place, a contact or a dice; nothing when none of these is given.

    Args:
        world: the world it happens in.
        person: who sends it.
        params: ``location``, ``venue``, ``contact`` or ``dice``. A contact without a number is the person's own.
    """
    for name, needed in (("location", ("latitude", "longitude")), ("venue", ("location", "title", "address"))):
        given = params.dictionary(name)
        if given is not None:
            if not set(needed) <= given.keys():
                raise ControlError(400, f"a {name} needs {', '.join(needed)}")
            return {name: given} | ({"location": given["location"]} if name == "venue" else {})
    contact = params.dictionary("contact")
    if contact is not None:
        own: Json = {"phone_number": f"+999{person.id}", "first_name": person.first_name, "user_id": person.id}
        return {"contact": contact if "phone_number" in contact else own}
    emoji = params.text("dice")
    if emoji and emoji not in DICE:
        raise ControlError(400, f"dice must be one of {' '.join(DICE)}")
    return {"dice": {"emoji": emoji, "value": world.random.randint(1, DICE[emoji])}} if emoji else None


def forwarded_content(world: World, source: Chat, message: Message) -> Json:
    """Return the content of a message that a person forwards."""
    if "has_protected_content" in message.content:
        raise ControlError(409, f"message {message.message_id} is protected and can't be forwarded")
    left = {"quote", "external_reply", "media_group_id", "effect_id"}
    content = {name: value for name, value in message.content.items() if name not in left}
    origin: Json = {"date": message.date}
    if message.by_chat and source.type == "channel":
        origin |= {"type": "channel", "chat": world.chat_card(source), "message_id": message.message_id}
    elif message.by_chat:
        origin |= {"type": "chat", "sender_chat": world.chat_card(source)}
    else:
        origin |= {"type": "user", "sender_user": world.card(message.sender_id)}
    return {"forward_origin": origin} | content


def _keep(world: World, kind: str, given: Json) -> File:
    params = Params(given)
    unique_id = params.text("file_unique_id")
    if unique_id:
        if unique_id not in world.files:
            raise ControlError(404, f"there is no file {unique_id}")
        return world.files[unique_id]
    size = params.integer("size", 0)
    if size > LARGEST:
        raise ControlError(400, f"size is more than {LARGEST} bytes")
    upload = Upload(params.text("name"), params.text("mime_type"), _bytes(kind, params))
    file = keep(world, KINDS[kind], upload, given)
    if size:
        file.size = file.shown[-1]["file_size"] = size
    return file


def _bytes(kind: str, params: Params) -> bytes:
    if not params.has("base64"):
        return blank_picture(*BLANK_SIZE) if kind == "photo" else f"stands for any {kind}\n".encode()
    try:
        return base64.b64decode(params.text("base64"), validate=True)
    except binascii.Error:
        raise ControlError(400, "base64 is not valid") from None
