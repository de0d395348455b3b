"""setMessageReaction."""

from typing import Any

from botyard.simulator.errors import ApiError, bad_request
from botyard.simulator.methods.call import Call, method
from botyard.simulator.model import Json
from botyard.simulator.reactions import EMOJI, react

MOST_OF_A_BOT = 1
"""Reactions of a bot to one message (Bot API, setMessageReaction)."""


@method("setMessageReaction")
def set_message_reaction(call: Call) -> bool:
    """Replace the bot's reaction to a message; no reaction takes it back."""
    chat = call.chat()
    message_id = call.params.integer("message_id", 0)
    if not message_id:
        raise bad_request("message identifier is not specified")
    reaction = [_reaction(item) for item in call.params.items("reaction") or []]
    message = chat.messages.get(message_id)
    if message is None:
        raise bad_request("message to react not found")
    if len(reaction) > MOST_OF_A_BOT:
        raise bad_request("REACTIONS_TOO_MANY")
    react(call.world, chat, message, call.bot.id, reaction)
    return True


def _reaction(item: Any) -> Json:
    """Return a ``ReactionType`` of a bot. Custom emoji are for messages that have them already; here none has."""
    if not isinstance(item, dict):
        raise _broken("expected an Object")
    kind = item.get("type")
    if kind not in {"emoji", "custom_emoji"}:
        raise _broken('Can\'t find field "type"' if kind is None else "invalid reaction type specified")
    emoji = item.get(kind if kind == "emoji" else "custom_emoji_id")
    if not isinstance(emoji, str):
        raise _broken(f'Can\'t find field "{kind if kind == "emoji" else "custom_emoji_id"}"')
    emoji = emoji.removesuffix("\ufe0f")
    if kind == "custom_emoji" or emoji not in EMOJI:
        raise bad_request("REACTION_INVALID")
    return {"type": "emoji", "emoji": emoji}


def _broken(words: str) -> ApiError:
    return bad_request(f"can't parse ReactionType: {words}")
