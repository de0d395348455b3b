"""Who hears what: which bots get an update about a message, and of which kind.

Privacy mode is as Telegram documents it (Bot Features, "Privacy Mode"); which of its own service messages a bot gets
is as in tdlib/telegram-bot-api, Client.cpp, ``need_skip_update_message``.
"""

import re
from itertools import islice

from botyard.simulator.model import Bot, Chat, Json, Message
from botyard.simulator.updates import make_update
from botyard.simulator.world import World

OWN_SERVICE = frozenset(
    {"left_chat_member", "new_chat_title", "new_chat_photo", "delete_chat_photo", "pinned_message", "refunded_payment"}
)
"""Service messages that a bot hears even when it caused them."""
SERVICE = OWN_SERVICE | {
    "new_chat_members",
    "group_chat_created",
    "supergroup_chat_created",
    "channel_chat_created",
    "migrate_to_chat_id",
    "migrate_from_chat_id",
}
"""What service messages hold."""
LOOKED_BACK = 200
"""How many messages are searched for the bot that spoke last."""
COMMAND = re.compile(r"/[a-z0-9_]+(?:@([a-z0-9_]+))?(?![a-z0-9_@])", re.ASCII)


def announce(world: World, chat: Chat, message: Message, *, edited: bool = False) -> dict[int, int | None]:
    """Tell the bots of a chat about a message.

    Args:
        world: the world it stands in.
        chat: where.
        message: what was posted or changed.
        edited: whether it was changed.

    Returns:
        The ``update_id`` by bot, of those that hear it; nothing where the bot does not want the kind.
    """
    kind = "channel_post" if chat.type == "channel" else "message"
    if edited:
        kind = f"edited_{kind}"
    made: dict[int, int | None] = {}
    for bot in world.bots_in(chat):
        if chat.bot_id or hears(world, chat, bot, message):
            shown = world.show(chat, message, viewer=bot.id)
            made[bot.id] = make_update(world, bot, kind, shown, chat_id=chat.id, user_id=message.sender_id)
    return made


def post_service(world: World, chat: Chat, actor_id: int, content: Json, *, by_chat: bool = False) -> Message:
    """Put a service message into a chat and tell the bots that hear it.

    Args:
        world: the world it happens in.
        chat: where; in a channel the channel itself speaks.
        actor_id: who caused it.
        content: what happened, in the fields of a ``Message``.
        by_chat: whether a group speaks for itself.
    """
    message = world.add_message(chat, actor_id, content)
    message.by_chat = message.by_chat or by_chat
    announce(world, chat, message)
    world.touch(chat)
    return message


def is_service(message: Message) -> bool:
    """Tell whether a message only says what happened in its chat."""
    return not SERVICE.isdisjoint(message.content)


def hears(world: World, chat: Chat, bot: Bot, message: Message) -> bool:
    """Tell whether a bot gets an update about a message of a group or channel."""
    sender_id = message.sender_id
    if sender_id == bot.id:
        return not OWN_SERVICE.isdisjoint(message.content)
    if chat.type == "channel":
        return True
    if sender_id in world.bots:
        return is_service(message)
    return bot.sees_all or chat.members[bot.id].leads or is_service(message) or _is_meant_for(world, chat, bot, message)


def _is_meant_for(world: World, chat: Chat, bot: Bot, message: Message) -> bool:
    """Tell whether a bot in privacy mode hears a person's message. A reply goes to whom it answers, and to no other."""
    original = chat.messages.get(message.reply_to or 0)
    if original and original.sender_id in world.bots:
        return original.sender_id == bot.id
    via = message.content.get("via_bot")
    if via:
        return bool(via["id"] == bot.id)
    text = str(message.content.get("text") or message.content.get("caption") or "").lower()
    name = bot.username.lower()
    command = COMMAND.match(text)
    if command:
        return command[1] == name if command[1] else _spoke_last(world, chat) in {0, bot.id}
    return re.search(rf"(?<![a-z0-9_])@{re.escape(name)}(?![a-z0-9_])", text) is not None


def _spoke_last(world: World, chat: Chat) -> int:
    """Return the bot that wrote the newest message of any bot; 0 when none did lately."""
    newest = islice(reversed(chat.messages.values()), LOOKED_BACK)
    return next((message.sender_id for message in newest if message.sender_id in world.bots), 0)
