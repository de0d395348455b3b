"""Sending, editing and deleting messages."""

from botyard.simulator.entities import find_commands, parse
from botyard.simulator.errors import bad_request
from botyard.simulator.methods.call import Call, method
from botyard.simulator.methods.markup import read_inline_markup, read_markup
from botyard.simulator.model import Chat, Json, Message
from botyard.simulator.params import Params

TEXT_LIMIT = 4096
DELETABLE_SECONDS = 48 * 3600
ACTION_SECONDS = 5.0
ACTIONS = frozenset(
    {
        "typing",
        "upload_photo",
        "record_video",
        "upload_video",
        "record_voice",
        "upload_voice",
        "upload_document",
        "choose_sticker",
        "find_location",
        "record_video_note",
        "upload_video_note",
    }
)


@method("sendMessage")
def send_message(call: Call) -> Json:
    """Send a text and return it as a ``Message``."""
    params = call.params
    content = _text(params)
    markup = read_markup(params)
    chat = call.writable_chat()
    reply_to = _reply_to(params, chat)
    call.flood.count(call.bot.id, chat)
    world = call.world
    if params.flag("protect_content"):
        content["has_protected_content"] = True
    params.flag("disable_notification")
    message = world.add_message(chat, call.bot.id, content, reply_to)
    message.reply_markup = markup
    chat.action = ""
    world.touch(chat)
    return world.show(chat, message)


@method("editMessageText")
def edit_message_text(call: Call) -> Json:
    """Replace text and inline keyboard of a message of the bot."""
    content = _text(call.params)
    markup = read_inline_markup(call.params)
    chat, message = _own_message(call)
    return _edit(call, chat, message, content, markup)


@method("editMessageReplyMarkup")
def edit_message_reply_markup(call: Call) -> Json:
    """Replace the inline keyboard of a message of the bot."""
    markup = read_inline_markup(call.params)
    chat, message = _own_message(call)
    return _edit(call, chat, message, message.content, markup)


@method("deleteMessage")
def delete_message(call: Call) -> bool:
    """Delete a message, for everyone."""
    message_id = _message_id(call.params)
    chat = call.chat()
    message = chat.messages.get(message_id)
    if message is None:
        raise bad_request("message to delete not found")
    if not chat.bot_id and message.sender_id != call.bot.id:
        raise bad_request("message can't be deleted")
    if message.date + DELETABLE_SECONDS < call.world.now():
        raise bad_request("message can't be deleted for everyone")
    del chat.messages[message_id]
    call.world.touch(chat)
    return True


@method("sendChatAction")
def send_chat_action(call: Call) -> bool:
    """Show for 5 s, or until the next message, what the bot is doing."""
    action = call.params.text("action").lower()
    if action not in ACTIONS:
        raise bad_request("wrong parameter action in request")
    chat = call.writable_chat()
    chat.action = action
    chat.action_ends = call.world.now() + ACTION_SECONDS
    call.world.touch(chat)
    return True


def _text(params: Params) -> Json:
    """Read ``text`` with its formatting."""
    raw = params.text("text")
    entities = params.items("entities")
    if entities is None:
        text, entities = parse(raw, params.text("parse_mode"))
    else:
        text = raw
        entities = [_entity(entity) for entity in entities] or find_commands(text)
    if not text.strip():
        raise bad_request("message text is empty")
    if len(text) > TEXT_LIMIT:
        raise bad_request("message is too long")
    content: Json = {"text": text}
    if entities:
        content["entities"] = entities
    return content


def _entity(entity: object) -> Json:
    if not isinstance(entity, dict) or not isinstance(entity.get("type"), str):
        raise bad_request("can't parse MessageEntity: expected an Object")
    for name in ("offset", "length"):
        if not isinstance(entity.get(name), int):
            raise bad_request(f'can\'t parse MessageEntity: Field "{name}" must be of type Number')
    return entity


def _reply_to(params: Params, chat: Chat) -> int | None:
    """Read ``reply_parameters`` or the older ``reply_to_message_id``."""
    reply = params.dictionary("reply_parameters")
    if reply is None and not params.has("reply_to_message_id"):
        return None
    wanted = Params(reply) if reply is not None else params
    message_id = wanted.integer("message_id" if reply is not None else "reply_to_message_id")
    if message_id in chat.messages:
        return message_id
    if wanted.flag("allow_sending_without_reply"):
        return None
    raise bad_request("message to be replied not found")


def _message_id(params: Params) -> int:
    message_id = params.integer("message_id", 0)
    if not message_id:
        raise bad_request("message identifier is not specified")
    return message_id


def _own_message(call: Call) -> tuple[Chat, Message]:
    """Return the message to edit: one that the bot itself sent."""
    if call.params.has("inline_message_id"):
        raise bad_request("MESSAGE_ID_INVALID")
    message_id = _message_id(call.params)
    chat = call.chat()
    message = chat.messages.get(message_id)
    if message is None:
        raise bad_request("message to edit not found")
    if message.sender_id != call.bot.id or (message.reply_markup and not message.inline_keyboard):
        raise bad_request("message can't be edited")
    return chat, message


def _edit(call: Call, chat: Chat, message: Message, content: Json, markup: Json | None) -> Json:
    if message.content == content and message.reply_markup == markup:
        raise bad_request(
            "message is not modified: specified new message content and reply markup are exactly the same "
            "as a current content and reply markup of the message"
        )
    message.content = content
    message.reply_markup = markup
    message.edit_date = int(call.world.now())
    call.world.touch(chat)
    return call.world.show(chat, message)
