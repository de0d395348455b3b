"""Editing what a bot has sent: texts, captions, media, keyboards, live locations."""

from botyard.simulator.audience import announce, is_service
from botyard.simulator.errors import bad_request
from botyard.simulator.media import KINDS
from botyard.simulator.methods.call import Call, method
from botyard.simulator.methods.inline import inline_message
from botyard.simulator.methods.markup import read_inline_markup
from botyard.simulator.methods.media import ALBUM_KINDS, ALONE, read_input_media
from botyard.simulator.methods.messages import read_preview
from botyard.simulator.methods.places import FOREVER, LIVE_PERIODS, read_location, read_movement
from botyard.simulator.methods.texts import read_caption, read_text
from botyard.simulator.model import Chat, Json, Message
from botyard.simulator.standing import may

STAYING = frozenset(
    {
        "via_bot",
        "quote",
        "external_reply",
        "has_protected_content",
        "effect_id",
        "media_group_id",
        "message_thread_id",
        "is_topic_message",
        "author_signature",
    }
)
"""Fields of a message that no edit changes."""
CAPTION = frozenset({"caption", "caption_entities", "show_caption_above_media"})
CAPTIONED = frozenset(kind.name for kind in KINDS.values() if kind.captioned) | {"paid_media"}
REPLACEABLE = ALBUM_KINDS | {"animation", "text"}
"""What can be replaced by other media."""
MEDIA_TYPES = ALBUM_KINDS | {"animation"}


@method("editMessageText")
def edit_message_text(call: Call) -> Json | bool:
    """Replace text and inline keyboard of a message."""
    content = read_text(call.params) | read_preview(call.params)
    markup = read_inline_markup(call.params)
    chat, message = _editable(call)
    if "text" not in message.content:
        raise bad_request("there is no text in the message to edit")
    return _edit(call, chat, message, content, markup)


@method("editMessageCaption")
def edit_message_caption(call: Call) -> Json | bool:
    """Replace caption and inline keyboard of a message; no caption removes it."""
    markup = read_inline_markup(call.params)
    caption = read_caption(call.params)
    chat, message = _editable(call)
    if CAPTIONED.isdisjoint(message.content):
        raise bad_request("there is no caption in the message to edit")
    kept = {name: value for name, value in message.content.items() if name not in CAPTION}
    return _edit(call, chat, message, kept | caption, markup)


@method("editMessageMedia")
def edit_message_media(call: Call) -> Json | bool:
    """Replace file, caption and inline keyboard of a message, or a text by a file."""
    markup = read_inline_markup(call.params)
    chat, message = _editable(call)
    if REPLACEABLE.isdisjoint(message.content):
        raise bad_request("message media can't be edited")
    content = read_input_media(call, call.params.dictionary("media"), MEDIA_TYPES)
    if "media_group_id" in message.content:
        _check_album(message.content, content)
    return _edit(call, chat, message, content, markup)


@method("editMessageReplyMarkup")
def edit_message_reply_markup(call: Call) -> Json | bool:
    """Replace the inline keyboard of a message."""
    markup = read_inline_markup(call.params)
    chat, message = _editable(call)
    return _edit(call, chat, message, message.content, markup)


@method("editMessageLiveLocation")
def edit_message_live_location(call: Call) -> Json | bool:
    """Move a live location."""
    location = read_location(call.params) | read_movement(call.params)
    markup = read_inline_markup(call.params)
    chat, message = _live(call)
    location["live_period"] = message.content["location"]["live_period"]
    if call.params.has("live_period"):
        location["live_period"] = _new_period(call, message, call.params.integer("live_period"))
    return _edit(call, chat, message, {"location": location}, markup)


@method("stopMessageLiveLocation")
def stop_message_live_location(call: Call) -> Json | bool:
    """Let a live location stand still for good."""
    markup = read_inline_markup(call.params)
    chat, message = _live(call)
    still = {"latitude", "longitude", "horizontal_accuracy"}
    location = {name: value for name, value in message.content["location"].items() if name in still}
    return _edit(call, chat, message, {"location": location}, markup)


def _editable(call: Call) -> tuple[Chat, Message]:
    """Return the message to edit: one of the bot, or in a channel any post for who may edit posts.

    Raises:
        ApiError: there is no such message, or it can't be edited.
    """
    params = call.params
    if not params.has("chat_id") and not params.has("message_id"):
        if not params.text("inline_message_id"):
            raise bad_request("message identifier is not specified")
        return inline_message(call)
    chat = call.chat()
    message_id = params.integer("message_id", 0)
    if not message_id:
        raise bad_request("message identifier is not specified")
    message = chat.messages.get(message_id)
    if message is None:
        raise bad_request("message to edit not found")
    own = message.sender_id == call.bot.id or (chat.type == "channel" and may(chat, call.bot.id, "can_edit_messages"))
    fixed = "forward_origin" in message.content or is_service(message)
    if not own or fixed or (message.reply_markup and not message.inline_keyboard):
        raise bad_request("message can't be edited")
    return chat, message


def _live(call: Call) -> tuple[Chat, Message]:
    """Return the message with the live location to edit."""
    chat, message = _editable(call)
    period = message.content.get("location", {}).get("live_period")
    if not period:
        raise bad_request("there is no live location in the message to edit")
    if period != FOREVER and message.date + period < call.world.now():
        raise bad_request("message can't be edited")
    return chat, message


def _new_period(call: Call, message: Message, period: int) -> int:
    """Return a new ``live_period``: it counts from the sending on, and ends within a day from now."""
    if period == FOREVER:
        return period
    left = message.date + period - call.world.now()
    if period < LIVE_PERIODS.start or not 0 < left < LIVE_PERIODS.stop:
        raise bad_request("wrong live location period specified")
    return period


def _check_album(old: Json, new: Json) -> None:
    """Refuse media of a kind that does not fit the album the message is a part of."""
    was, is_now = (next(name for name in KINDS if name in content) for content in (old, new))
    if was != is_now and ({was, is_now} & ALONE or is_now not in ALBUM_KINDS):
        raise bad_request("can't use the media of the specified type in the album")


def _edit(call: Call, chat: Chat, message: Message, content: Json, markup: Json | None) -> Json | bool:
    content = {name: value for name, value in message.content.items() if name in STAYING} | content
    call.world.name_mentions(content)
    if message.content == content and message.reply_markup == markup:
        raise bad_request(
            "message is not modified: specified new message content and reply markup are exactly the same "
            "as a current content and reply markup of the message"
        )
    message.content = content
    message.reply_markup = markup
    message.edit_date = int(call.world.now())
    if message.by_chat:
        announce(call.world, chat, message, edited=True)
    call.world.touch(chat)
    if not call.params.has("chat_id"):
        return True
    return call.world.show(chat, message, viewer=call.bot.id)
