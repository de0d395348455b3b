"""The way of every new message of a bot into a chat: rights, reply, flood limit, options, markup."""

import re
from dataclasses import replace

from botyard.simulator.audience import announce
from botyard.simulator.entities import units
from botyard.simulator.errors import bad_request
from botyard.simulator.media import RIGHTS
from botyard.simulator.methods.call import Call
from botyard.simulator.methods.markup import read_markup
from botyard.simulator.methods.texts import check_entity
from botyard.simulator.model import Chat, Json, Message
from botyard.simulator.params import Params
from botyard.simulator.polls import show_poll

EXTERNAL = frozenset(RIGHTS) | {"paid_media", "invoice", "has_media_spoiler", "link_preview_options"}
"""Fields of a message that a reply from another chat repeats (``ExternalReplyInfo``)."""


def deliver(call: Call, content: Json) -> Json:
    """Put a new message of the bot into the chat the call names, and return the ``Message``.

    Args:
        call: its parameters name chat, reply, options and markup.
        content: what the message shows, in the fields of a ``Message``.

    Raises:
        ApiError: the bot may not send this there, the reply or markup is wrong, or it sends too much.
    """
    chat, message = send(call, content, read_markup(call.params))
    return call.world.show(chat, message, viewer=call.bot.id)


def send(call: Call, content: Json, markup: Json | None) -> tuple[Chat, Message]:
    """Put a new message of the bot into the chat the call names, as :func:`deliver` does.

    Args:
        call: its parameters name chat, reply and options.
        content: what the message shows, in the fields of a ``Message``.
        markup: its ``reply_markup``, checked.
    """
    chat = place_for(call, content)
    reply_to = read_reply(call, chat, content)
    call.count(chat)
    message = post(call, chat, content, reply_to, markup)
    call.world.touch(chat)
    return chat, message


def place_for(call: Call, content: Json) -> Chat:
    """Return the chat named by ``chat_id``, if the bot may send such content there."""
    if "text" not in content:
        for name, (right, words) in RIGHTS.items():
            if name in content:
                return call.writable_chat(right, words)
    return call.writable_chat()


def post(call: Call, chat: Chat, content: Json, reply_to: int | None, markup: Json | None = None) -> Message:
    """Append a message of the bot, with the options that go into its content. The chat is yet to be touched.

    The other bots of a channel hear it; bots in a group do not hear each other.
    """
    values = call.params.values
    if values.get("protect_content") is not None and call.params.flag("protect_content"):
        content["has_protected_content"] = True
    if values.get("message_effect_id") and chat.bot_id:
        content["effect_id"] = call.params.text("message_effect_id")
    message = call.world.add_message(chat, call.bot.id, content, reply_to)
    message.reply_markup = markup
    chat.action = ""
    if message.by_chat:
        announce(call.world, chat, message)
    return message


def read_reply(call: Call, chat: Chat, content: Json) -> int | None:
    """Read ``reply_parameters`` or the older ``reply_to_message_id``.

    Args:
        call: whose parameters are read.
        chat: where the reply will stand.
        content: of the reply; a quote and a message from another chat are added to it.

    Returns:
        The id of the message it answers, if that is in the same chat.
    """
    params = call.params
    if not params.has("reply_parameters") and not params.has("reply_to_message_id"):
        return None
    reply = params.dictionary("reply_parameters")
    wanted = params if reply is None else Params(reply)
    message_id = wanted.integer("reply_to_message_id" if reply is None else "message_id", 0)
    source = chat
    if reply is not None and wanted.has("chat_id"):
        source = replace(call, params=wanted).chat()
    original = source.messages.get(message_id)
    if original is None:
        if wanted.flag("allow_sending_without_reply") or not message_id:
            return None
        raise bad_request("message to be replied not found")
    if reply is not None and wanted.has("quote"):
        content["quote"] = _quote(wanted, original)
    if source is chat:
        return message_id
    content["external_reply"] = _external(call, source, original)
    return None


def _quote(params: Params, original: Message) -> Json:
    """Return the ``TextQuote``: it must stand word for word in the original, where it is nearest to its position."""
    text = params.text("quote")
    wanted = params.integer("quote_position", 0)
    whole = original.content.get("text") or original.content.get("caption") or ""
    places = [found.start() for found in re.finditer(re.escape(text), whole)] if text else []
    if not places:
        raise bad_request("QUOTE_TEXT_INVALID")
    position = min((units(whole[:place]) for place in places), key=lambda place: abs(place - wanted))
    quote: Json = {"text": text, "position": position, "is_manual": True}
    entities = [check_entity(entity) for entity in params.items("quote_entities") or []]
    if entities:
        quote["entities"] = entities
    return quote


def _external(call: Call, chat: Chat, original: Message) -> Json:
    """Return the ``ExternalReplyInfo`` about a message of another chat."""
    shown: Json = {"origin": origin_of(call, chat, original)}
    if chat.type in {"supergroup", "channel"}:
        shown |= {"chat": call.world.chat_card(chat), "message_id": original.message_id}
    shown |= {name: value for name, value in original.content.items() if name in EXTERNAL}
    if original.poll_id:
        shown["poll"] = show_poll(call.world.polls[original.poll_id], call.bot.id)
    return shown


def origin_of(call: Call, chat: Chat, message: Message) -> Json:
    """Return the ``MessageOrigin`` of a message: where it first stood."""
    known = message.content.get("forward_origin")
    if known:
        return dict(known)
    world = call.world
    if chat.type == "channel":
        origin = {"type": "channel", "chat": world.chat_card(chat), "message_id": message.message_id}
        signature = message.content.get("author_signature")
        return origin | {"date": message.date} | ({"author_signature": signature} if signature else {})
    if message.by_chat:
        return {"type": "chat", "date": message.date, "sender_chat": world.chat_card(chat)}
    return {"type": "user", "date": message.date, "sender_user": world.card(message.sender_id)}
