"""What the chat page shows of one chat, and the wait for the next change."""

from botyard.simulator.model import Chat, Json, Message
from botyard.simulator.params import Params
from botyard.simulator.simulator import Simulator

MESSAGES_SHOWN = 200
LONGEST_WAIT = 60.0


async def view(simulator: Simulator, params: Params) -> Json:
    """``GET /sim/view``: a chat as it is, as soon as it differs from what the page has.

    Args:
        simulator: whose world.
        params: ``bot_id``, ``chat_id``, ``after`` (the version the page has) and ``wait`` (seconds).
    """
    world = simulator.world
    bot_id, chat_id = params.integer("bot_id"), params.integer("chat_id")
    after = params.integer("after", -1)
    seconds = min(params.number("wait", 0.0), LONGEST_WAIT)
    chat = world.chat(bot_id, chat_id)
    # A restart without a snapshot counts from zero again, so any other version is news.
    if (chat.version if chat else 0) == after and seconds > 0:
        await simulator.chat_change((bot_id if chat_id > 0 else 0, chat_id), seconds)
        chat = world.chat(bot_id, chat_id)
    if chat is None:
        return {"version": 0, "blocked": False, "messages": [], "action": None, "answers": []}
    newest = list(chat.messages.values())[-MESSAGES_SHOWN:]
    return {
        "version": chat.version,
        "blocked": chat.blocked,
        "messages": [_show(simulator, chat, message) for message in newest],
        "action": _action(simulator, chat),
        "answers": chat.answers,
    }


def _show(simulator: Simulator, chat: Chat, message: Message) -> Json:
    """Return a message with any kind of keyboard, which Telegram hides from bots."""
    shown = simulator.world.show(chat, message)
    if message.reply_markup:
        shown["reply_markup"] = message.reply_markup
    return shown


def _action(simulator: Simulator, chat: Chat) -> Json | None:
    left = chat.action_ends - simulator.world.now()
    if not chat.action or left <= 0:
        return None
    return {"action": chat.action, "seconds": round(left, 1)}
