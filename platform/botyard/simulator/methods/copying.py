"""Forwarding messages, and copying them without a trace of where they come from."""

from itertools import pairwise
from typing import Any

from botyard.simulator.errors import bad_request
from botyard.simulator.media import RIGHTS
from botyard.simulator.methods.call import Call, method
from botyard.simulator.methods.deleting import read_message_ids
from botyard.simulator.methods.editing import CAPTION, CAPTIONED
from botyard.simulator.methods.markup import read_markup
from botyard.simulator.methods.places import DICE
from botyard.simulator.methods.sending import origin_of, place_for, post, read_reply
from botyard.simulator.methods.texts import read_caption
from botyard.simulator.model import Chat, Json, Message
from botyard.simulator.polls import put_poll

UNCOPIED = frozenset({"poll", "game"})
COPIED = frozenset(RIGHTS) - UNCOPIED | {"text"}
"""What can be copied."""
FORWARDED = frozenset(RIGHTS) | {"text", "paid_media", "invoice"}
"""What can be forwarded; all else only says what happened in its chat."""
LEFT = frozenset(
    {"quote", "external_reply", "has_protected_content", "effect_id", "media_group_id", "message_thread_id"}
)
"""Fields that stay with the original."""


@method("forwardMessage")
def forward_message(call: Call) -> Json:
    """Forward a message and return it as a ``Message``."""
    source, original = _original(call, "forward")
    if not _forwardable(original):
        raise bad_request("the message can't be forwarded")
    content = _forward(call, source, original)
    chat = place_for(call, content)
    call.count(chat)
    message = _post(call, chat, content, original)
    call.world.touch(chat)
    return call.world.show(chat, message, viewer=call.bot.id)


@method("forwardMessages")
def forward_messages(call: Call) -> list[Json]:
    """Forward up to 100 messages, passing over what can't be; albums stay albums. Returns their ids."""
    source, originals = _originals(call)
    found = [original for original in originals if _forwardable(original)]
    return _post_all(call, found, [_forward(call, source, original) for original in found])


@method("copyMessage")
def copy_message(call: Call) -> Json:
    """Send a copy of a message, perhaps with another caption, and return its id."""
    markup = read_markup(call.params)
    _, original = _original(call, "copy")
    if not _copyable(original):
        raise bad_request("the message can't be copied")
    content = _copy(call, original)
    if call.params.has("caption") and not CAPTIONED.isdisjoint(content):
        content = {name: value for name, value in content.items() if name not in CAPTION} | read_caption(call.params)
    chat = place_for(call, content)
    reply_to = read_reply(call, chat, content)
    call.count(chat)
    message = post(call, chat, content, reply_to, markup)
    call.world.touch(chat)
    return {"message_id": message.message_id}


@method("copyMessages")
def copy_messages(call: Call) -> list[Json]:
    """Send copies of up to 100 messages, passing over what can't be copied. Returns their ids."""
    _, originals = _originals(call)
    found = [original for original in originals if _copyable(original)]
    contents = [_copy(call, original) for original in found]
    if call.params.flag("remove_caption"):
        contents = [{name: value for name, value in content.items() if name not in CAPTION} for content in contents]
    return _post_all(call, found, contents)


def _original(call: Call, verb: str) -> tuple[Chat, Message]:
    source = call.chat("from_chat_id")
    message_id = call.params.integer("message_id", 0)
    if not message_id:
        raise bad_request("message identifier is not specified")
    original = source.messages.get(message_id)
    if original is None:
        raise bad_request(f"message to {verb} not found")
    return source, original


def _originals(call: Call) -> tuple[Chat, list[Message]]:
    message_ids = read_message_ids(call)
    if any(first >= second for first, second in pairwise(message_ids)):
        raise bad_request("message identifiers must be in a strictly increasing order")
    source = call.chat("from_chat_id")
    return source, [source.messages[message_id] for message_id in message_ids if message_id in source.messages]


def _forwardable(message: Message) -> bool:
    return "has_protected_content" not in message.content and (
        bool(message.poll_id) or not FORWARDED.isdisjoint(message.content)
    )


def _copyable(message: Message) -> bool:
    return "has_protected_content" not in message.content and not COPIED.isdisjoint(message.content)


def _forward(call: Call, source: Chat, original: Message) -> Json:
    content = {name: value for name, value in original.content.items() if name not in LEFT}
    if "location" in content and "venue" not in content:
        content["location"] = _still(content["location"])
    return content | {"forward_origin": origin_of(call, source, original)}


def _copy(call: Call, original: Message) -> Json:
    left = LEFT | {"forward_origin", "via_bot", "author_signature"}
    content = {name: value for name, value in original.content.items() if name not in left}
    if "location" in content and "venue" not in content:
        content["location"] = _still(content["location"])
    if "dice" in content:
        emoji = content["dice"]["emoji"]
        content["dice"] = {"emoji": emoji, "value": call.world.random.randint(1, DICE[emoji])}
    return content


def _still(location: Json) -> Json:
    """Return a location without what makes it live."""
    return {name: location[name] for name in ("latitude", "longitude", "horizontal_accuracy") if name in location}


def _post(call: Call, chat: Chat, content: Json, original: Message) -> Message:
    message = post(call, chat, content, None)
    message.invoice_id = original.invoice_id
    if original.poll_id:
        put_poll(call.world.polls[original.poll_id], chat, message)
    return message


def _post_all(call: Call, originals: list[Message], contents: list[Any]) -> list[Json]:
    """Post several messages; those of one album form an album again."""
    if not contents:
        raise bad_request("messages can't be forwarded")
    for content in contents:
        chat = place_for(call, content)
    call.count(chat, len(contents))
    albums: dict[str, str] = {}
    posted = []
    for original, content in zip(originals, contents, strict=True):
        group_id = original.content.get("media_group_id")
        if group_id:
            content["media_group_id"] = albums.setdefault(group_id, str(call.world.ids.getrandbits(54)))
        posted.append(_post(call, chat, content, original))
    call.world.touch(chat)
    return [{"message_id": message.message_id} for message in posted]
