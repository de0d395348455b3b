"""People write and change what they wrote."""

from dataclasses import dataclass

from botyard.simulator import reactions
from botyard.simulator.audience import announce, is_service
from botyard.simulator.entities import find_commands, units
from botyard.simulator.errors import ControlError
from botyard.simulator.media import KINDS, RIGHTS
from botyard.simulator.model import Bot, Chat, Json, Message, Person
from botyard.simulator.people.membership import check_may_write, require
from botyard.simulator.polls import put_poll
from botyard.simulator.standing import is_anonymous
from botyard.simulator.world import World

TEXT_LIMIT = 4096
CAPTION_LIMIT = 1024
CAPTIONED = frozenset(kind.name for kind in KINDS.values() if kind.captioned)
STAYING = frozenset({"quote", "external_reply", "forward_origin", "media_group_id", "message_thread_id", "via_bot"})
"""Fields of a message that no edit changes."""


@dataclass(slots=True)
class Sent:
    """What came of something a person wrote. ``update_id`` is missing when the bot does not want it."""

    update_id: int | None
    message_id: int


def text_content(text: str) -> Json:
    """Return the content of a plain text message, with its commands marked."""
    content: Json = {"text": text}
    entities = find_commands(text)
    if entities:
        content["entities"] = entities
    return content


def send(world: World, bot: Bot, person: Person, chat: Chat, *, text: str, reply_to: int | None = None) -> Sent:
    """Let a person write into a chat; every bot there gets a ``message`` update.

    Args:
        world: the world it happens in.
        bot: the bot whose update id is returned.
        person: who writes.
        chat: where; the private chat with the bot, or a group.
        text: 1 to 4096 characters.
        reply_to: id of the message it answers.
    """
    _check_text(text)
    return post(world, bot, person, chat, text_content(text), reply_to=reply_to)


def post(
    world: World,
    bot: Bot,
    person: Person,
    chat: Chat,
    content: Json,
    *,
    reply_to: int | None = None,
    quote: str = "",
    original: Message | None = None,
) -> Sent:
    """Let a person send a message into a chat; every bot there that hears it gets an update.

    Args:
        world: the world it happens in.
        bot: the bot whose update id is returned.
        person: who sends it.
        chat: where.
        content: what the message shows, in the fields of a ``Message``.
        reply_to: id of the message it answers.
        quote: the words of that message it answers.
        original: the message it forwards, with which it shares a poll, an invoice or a game.
    """
    if reply_to is not None and reply_to not in chat.messages:
        raise ControlError(404, f"there is no message {reply_to} to reply to")
    if quote:
        content["quote"] = _quote(chat.messages.get(reply_to or 0), quote)
    if chat.blocked:
        raise ControlError(409, "the person has blocked the bot; unblock it first")
    right = next((RIGHTS[name][0] for name in RIGHTS if name in content), "can_send_messages")
    check_may_write(world, chat, person, right)
    message = world.add_message(chat, person.id, content, reply_to)
    if original:
        _share(world, chat, message, original)
    if not chat.bot_id and is_anonymous(chat, person.id):
        message.by_chat = True
    made = announce(world, chat, message)
    world.touch(chat)
    return Sent(made.get(bot.id), message.message_id)


def edit(world: World, bot: Bot, person: Person, chat: Chat, *, message_id: int, text: str) -> Sent:
    """Let a person change a text or caption of theirs; every bot there gets an ``edited_message`` update."""
    message = _own(person, chat, message_id)
    if "forward_origin" in message.content or "via_bot" in message.content or is_service(message):
        raise ControlError(409, f"message {message_id} can't be edited: only what the person wrote can")
    if "text" in message.content:
        _check_text(text)
        changed = text_content(text)
    else:
        changed = _captioned(message.content, text)
    staying = {name: value for name, value in message.content.items() if name in STAYING}
    message.content = staying | changed
    message.edit_date = int(world.now())
    made = announce(world, chat, message, edited=True)
    world.touch(chat)
    return Sent(made.get(bot.id), message_id)


def delete(world: World, person: Person, chat: Chat, *, message_id: int) -> None:
    """Let a person delete a message: in a group their own, unless they may delete all. Telegram tells no bot of it."""
    message = chat.messages.get(message_id)
    if message is None:
        raise ControlError(404, f"there is no message {message_id} in this chat")
    if not chat.bot_id and message.sender_id != person.id:
        require(chat, person, "can_delete_messages")
    del chat.messages[message_id]
    if message_id in chat.pinned:
        chat.pinned.remove(message_id)
    world.touch(chat)


def react(world: World, bot: Bot, person: Person, chat: Chat, *, message_id: int, reaction: list[Json]) -> int | None:
    """Let a person react to a message; bots that may know get an update if they asked for it.

    Args:
        world: the world it happens in.
        bot: the bot whose update id is returned.
        person: who reacts.
        chat: where the message stands.
        message_id: the message.
        reaction: ``ReactionType`` objects; an empty list takes the reaction back.
    """
    message = chat.messages.get(message_id)
    if message is None:
        raise ControlError(404, f"there is no message {message_id} in this chat")
    return reactions.react(world, chat, message, person.id, reaction).get(bot.id)


def tell(world: World, chat: Chat, message: Message, kind: str) -> dict[int, int | None]:
    """Tell the bots of a chat about a message, as :func:`~botyard.simulator.audience.announce` does."""
    return announce(world, chat, message, edited=kind.startswith("edited_"))


def _own(person: Person, chat: Chat, message_id: int) -> Message:
    message = chat.messages.get(message_id)
    if message is None or message.sender_id != person.id:
        raise ControlError(404, f"the person has no message {message_id} in this chat")
    return message


def _share(world: World, chat: Chat, message: Message, original: Message) -> None:
    """Let a forwarded message show the poll, invoice or game itself. An invoice is paid in its copies, too."""
    message.invoice_id, message.game = original.invoice_id, original.game
    if original.poll_id:
        put_poll(world.polls[original.poll_id], chat, message)
    invoice = original.content.get("invoice")
    if invoice and not invoice["start_parameter"]:
        message.reply_markup = original.inline_keyboard


def _captioned(content: Json, caption: str) -> Json:
    if CAPTIONED.isdisjoint(content):
        raise ControlError(409, "the message has no text or caption to change")
    if len(caption) > CAPTION_LIMIT:
        raise ControlError(400, f"text is longer than {CAPTION_LIMIT} characters")
    kept = {name: value for name, value in content.items() if name not in {"caption", "caption_entities"}}
    if caption:
        kept["caption"] = caption
        entities = find_commands(caption)
        if entities:
            kept["caption_entities"] = entities
    return kept


def _quote(original: Message | None, text: str) -> Json:
    if original is None:
        raise ControlError(400, "a quote needs reply_to, the message it is from")
    whole = original.content.get("text") or original.content.get("caption") or ""
    position = whole.find(text)
    if position < 0:
        raise ControlError(400, "the quote does not stand in the message")
    return {"text": text, "position": units(whole[:position]), "is_manual": True}


def _check_text(text: str) -> None:
    if not text.strip():
        raise ControlError(400, "text is empty")
    if len(text) > TEXT_LIMIT:
        raise ControlError(400, f"text is longer than {TEXT_LIMIT} characters")
