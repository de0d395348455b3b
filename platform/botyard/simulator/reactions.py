"""Reactions to messages: the emoji that Telegram has, and telling bots about them."""

from collections import Counter

import orjson

from botyard.simulator.model import Chat, Json, Message
from botyard.simulator.updates import make_update
from botyard.simulator.world import World

_EMOJI = (
    "❤ 👍 👎 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤‍🔥 🌚 "
    "🌭 💯 🤣 ⚡ 🍌 🏆 💔 🤨 😐 🍓 🍾 💋 🖕 😈 😴 "
)
EMOJI = frozenset(_EMOJI.split())
"""Emoji that can be a reaction (Bot API, ReactionTypeEmoji)."""


def react(world: World, chat: Chat, message: Message, user_id: int, reaction: list[Json]) -> dict[int, int | None]:
    """Replace what somebody thinks of a message, and tell the bots that may know.

    A bot hears of people's reactions in private chats with it and where it is an administrator (Bot API,
    Update, ``message_reaction``); in channels nobody's name is known, so they hear counts.

    Args:
        world: the world it happens in.
        chat: where the message stands.
        message: the message.
        user_id: who reacts.
        reaction: the new ``ReactionType`` objects; an empty list takes the reaction back.

    Returns:
        The ``update_id`` by bot.
    """
    old = message.reactions.get(user_id, [])
    if old == reaction:
        return {}
    if reaction:
        message.reactions[user_id] = reaction
    else:
        del message.reactions[user_id]
    world.touch(chat)
    if user_id in world.bots:
        return {}
    payload: Json = {"chat": world.chat_card(chat), "message_id": message.message_id, "date": int(world.now())}
    if chat.type == "channel":
        kind = "message_reaction_count"
        payload["reactions"] = _counts(message)
    else:
        kind = "message_reaction"
        payload |= {"user": world.card(user_id), "old_reaction": old, "new_reaction": reaction}
    listening = [bot for bot in world.bots_in(chat) if chat.bot_id or chat.members[bot.id].leads]
    return {bot.id: make_update(world, bot, kind, payload, chat_id=chat.id, user_id=user_id) for bot in listening}


def _counts(message: Message) -> list[Json]:
    """Return the ``ReactionCount`` objects of a message, the most frequent first."""
    counted = Counter(
        orjson.dumps(kind, option=orjson.OPT_SORT_KEYS) for kinds in message.reactions.values() for kind in kinds
    )
    return [{"type": orjson.loads(kind), "total_count": count} for kind, count in counted.most_common()]
