"""What people do: write, edit, press buttons, block and unblock a bot."""

from dataclasses import dataclass

from botyard.simulator.entities import find_commands
from botyard.simulator.errors import ControlError
from botyard.simulator.model import Bot, Chat, Json, Message, Person, Query
from botyard.simulator.updates import make_update
from botyard.simulator.world import CALLBACK_LIFE, World

TEXT_LIMIT = 4096


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
    if reply_to is not None and reply_to not in chat.messages:
        raise ControlError(404, f"there is no message {reply_to} to reply to")
    if chat.blocked:
        raise ControlError(409, "the person has blocked the bot; unblock it first")
    message = world.add_message(chat, person.id, text_content(text), reply_to)
    made = _tell(world, chat, message, "message")
    world.touch(chat)
    return Sent(made.get(bot.id), message.message_id)


def edit(world: World, bot: Bot, person: Person, chat: Chat, *, message_id: int, text: str) -> Sent:
    """Let a person change what they wrote; every bot there gets an ``edited_message`` update."""
    _check_text(text)
    message = chat.messages.get(message_id)
    if message is None or message.sender_id != person.id:
        raise ControlError(404, f"the person has no message {message_id} in this chat")
    message.content = text_content(text)
    message.edit_date = int(world.now())
    made = _tell(world, chat, message, "edited_message")
    world.touch(chat)
    return Sent(made.get(bot.id), message_id)


def press(world: World, bot: Bot, person: Person, chat: Chat, *, message_id: int, data: str) -> tuple[int | None, str]:
    """Let a person press an inline button.

    Returns:
        The update id and the id of the callback query.
    """
    message = chat.messages.get(message_id)
    if message is None or message.sender_id != bot.id:
        raise ControlError(404, f"the bot has no message {message_id} in this chat")
    keyboard = message.inline_keyboard or {"inline_keyboard": []}
    if not any(button.get("callback_data") == data for row in keyboard["inline_keyboard"] for button in row):
        raise ControlError(409, f"message {message_id} has no button with this data")
    query = _new_query(world, bot, chat, person)
    payload: Json = {
        "id": query.id,
        "from": person.card(),
        "message": world.show(chat, message),
        "chat_instance": str(chat.id * 7919),
        "data": data,
    }
    update_id = make_update(world, bot, "callback_query", payload, chat_id=chat.id, user_id=person.id)
    return update_id, query.id


def block(world: World, bot: Bot, person: Person, *, blocked: bool) -> int | None:
    """Let a person block or unblock a bot; the bot gets ``my_chat_member`` when that changes something."""
    chat = world.private_chat(bot.id, person.id)
    if chat.blocked == blocked:
        return None
    chat.blocked = blocked
    user = bot.card()
    member: Json = {"user": user, "status": "member"}
    banned: Json = {"user": user, "status": "kicked", "until_date": 0}
    payload: Json = {
        "chat": world.chat_card(chat),
        "from": person.card(),
        "date": int(world.now()),
        "old_chat_member": member if blocked else banned,
        "new_chat_member": banned if blocked else member,
    }
    update_id = make_update(world, bot, "my_chat_member", payload, chat_id=chat.id, user_id=person.id)
    world.touch(chat)
    return update_id


def _tell(world: World, chat: Chat, message: Message, kind: str) -> dict[int, int | None]:
    shown = world.show(chat, message)
    return {
        bot.id: make_update(world, bot, kind, shown, chat_id=chat.id, user_id=message.sender_id)
        for bot in world.bots_in(chat)
    }


def _new_query(world: World, bot: Bot, chat: Chat, person: Person) -> Query:
    """Open a callback query; those that can no longer be answered are forgotten."""
    now = world.now()
    while world.queries:
        oldest = next(iter(world.queries.values()))
        if oldest.date + CALLBACK_LIFE > now:
            break
        del world.queries[oldest.id]
    query = Query(str(world.random.getrandbits(62)), bot.id, chat.id, person.id, now)
    world.queries[query.id] = query
    return query


def _check_text(text: str) -> None:
    if not text.strip():
        raise ControlError(400, "text is empty")
    if len(text) > TEXT_LIMIT:
        raise ControlError(400, f"text is longer than {TEXT_LIMIT} characters")
