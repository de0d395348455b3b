"""Sending files: one by one, as an album, for Stars."""

from collections.abc import Callable
from typing import Any

from botyard.simulator.errors import bad_request
from botyard.simulator.media import KINDS
from botyard.simulator.methods.call import Call, method
from botyard.simulator.methods.sending import deliver, place_for, post, read_reply
from botyard.simulator.methods.texts import read_caption
from botyard.simulator.methods.uploads import read_media
from botyard.simulator.model import Json
from botyard.simulator.params import Params

ALBUM_SIZES = range(2, 11)
"""How many items an album has."""
PAID_SIZES = range(1, 11)
MOST_STARS = 25_000
"""The highest price of paid media, in Stars."""
SPOILING = frozenset({"photo", "video", "animation"})
"""Kinds that can be covered by a spoiler."""
ALONE = frozenset({"audio", "document"})
"""Kinds that make an album only with their like."""
ALBUM_KINDS = frozenset({"photo", "video"}) | ALONE


def _sender(name: str) -> Callable[[Call], Json]:
    def send(call: Call) -> Json:
        return deliver(call, read_one(call, name, call.params.values.get(name), call.params))

    send.__doc__ = f"Send a file as ``{name}`` and return the ``Message``."
    return send


for _method, _name in (
    ("sendPhoto", "photo"),
    ("sendAudio", "audio"),
    ("sendDocument", "document"),
    ("sendVideo", "video"),
    ("sendAnimation", "animation"),
    ("sendVoice", "voice"),
    ("sendVideoNote", "video_note"),
    ("sendSticker", "sticker"),
):
    method(_method)(_sender(_name))


def read_one(call: Call, name: str, value: object, source: Params, missing: str = "") -> Json:
    """Return the content of a message with one file, its caption and its spoiler.

    Args:
        call: the call that brings it.
        name: the kind of file.
        value: how it is named.
        source: the parameters of the call, or the ``InputMedia``.
        missing: the refusal when no file is named, other than that of a ``send…`` method.
    """
    caption = read_caption(source) if KINDS[name].captioned else {}
    content = read_media(call, name, value, source, missing or f"there is no {name.replace('_', ' ')} in the request")
    if not SPOILING.isdisjoint(content) and source.flag("has_spoiler"):
        content["has_media_spoiler"] = True
    return content | caption


def read_input_media(call: Call, item: Any, kinds: frozenset[str]) -> Json:
    """Return the content of a message with an ``InputMedia``.

    Args:
        call: the call that brings it.
        item: as the bot gave it.
        kinds: the types that fit here.
    """
    if not isinstance(item, dict):
        raise bad_request("can't parse InputMedia: expected an Object")
    source = Params(item)
    kind = source.text("type")
    if not kind:
        raise bad_request("can't parse InputMedia: Can't find field \"type\"")
    if kind not in kinds:
        unfit = "can't be used in sendMediaGroup" if kind == "animation" else "is unsupported"
        raise bad_request(f'can\'t parse InputMedia: type "{kind}" {unfit}')
    return read_one(call, kind, item.get("media"), source, "can't parse InputMedia: media not found")


@method("sendMediaGroup")
def send_media_group(call: Call) -> list[Json]:
    """Send an album and return its ``Message`` objects."""
    contents = [read_input_media(call, _plain(item), ALBUM_KINDS) for item in _items(call)]
    if len(contents) not in ALBUM_SIZES:
        few = len(contents) < ALBUM_SIZES.start
        raise bad_request(f"too {'few' if few else 'many'} messages to send as an album")
    kinds = {next(name for name in KINDS if name in content) for content in contents}
    if len(kinds) > 1 and not ALONE.isdisjoint(kinds):
        wrong = next(kind for kind in sorted(kinds) if kind in ALONE)
        raise bad_request(f"{wrong} can't be mixed with other media types")
    for content in contents:
        chat = place_for(call, content)
    group_id = str(call.world.ids.getrandbits(54))
    extra: Json = {}
    reply_to = read_reply(call, chat, extra)
    call.count(chat, len(contents))
    messages = [post(call, chat, content | extra | {"media_group_id": group_id}, reply_to) for content in contents]
    call.world.touch(chat)
    return [call.world.show(chat, message, viewer=call.bot.id) for message in messages]


def _plain(item: Any) -> Any:
    """Return an item of an album, where Telegram shows a document as a document whatever it holds."""
    return item | {"disable_content_type_detection": True} if isinstance(item, dict) else item


def _items(call: Call) -> list[Any]:
    items = call.params.items("media")
    if items is None:
        raise bad_request('parameter "media" is required')
    return items


@method("sendPaidMedia")
def send_paid_media(call: Call) -> Json:
    """Send photos and videos that are seen for Stars, and return the ``Message``."""
    stars = call.params.integer("star_count")
    if not 0 < stars <= MOST_STARS:
        raise bad_request("STARS_AMOUNT_INVALID")
    items = _items(call)
    if len(items) not in PAID_SIZES:
        raise bad_request("too many media to send" if items else "there is no media in the request")
    media = []
    for item in items:
        shown = read_input_media(call, item, frozenset({"photo", "video"}))
        kind = next(name for name in ("photo", "video") if name in shown)
        media.append({"type": kind, kind: shown[kind]})
    return deliver(call, {"paid_media": {"star_count": stars, "paid_media": media}} | read_caption(call.params))
