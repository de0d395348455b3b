"""People press inline buttons."""

from botyard.simulator.errors import ControlError
from botyard.simulator.model import Bot, Chat, Json, Person
from botyard.simulator.queries import open_query
from botyard.simulator.updates import make_update
from botyard.simulator.world import World


def press(world: World, bot: Bot, person: Person, chat: Chat, *, message_id: int, data: str) -> tuple[int | None, str]:
    """Let a person press an inline button.

    Args:
        world: the world it happens in.
        bot: who offered the message.
        person: who presses.
        chat: where the message stands.
        message_id: the message with the button.
        data: ``callback_data`` of the button; empty for the button that starts a game.

    Returns:
        The update id and the id of the callback query.
    """
    message = chat.messages.get(message_id)
    if message is None or message.author_id != bot.id:
        raise ControlError(404, f"the bot has no message {message_id} in this chat")
    keyboard = message.inline_keyboard or {"inline_keyboard": []}
    buttons = [button for row in keyboard["inline_keyboard"] for button in row]
    payload: Json = {"from": person.card(), "chat_instance": str(chat.id * 7919)}
    if message.inline_id:
        payload["inline_message_id"] = message.inline_id
    else:
        payload["message"] = world.show(chat, message, viewer=bot.id)
    if data and any(button.get("callback_data") == data for button in buttons):
        payload["data"] = data
    elif not data and message.game and any("callback_game" in button for button in buttons):
        payload["game_short_name"] = message.game
    else:
        raise ControlError(409, f"message {message_id} has no button with this data")
    query = open_query(world, bot, person, "callback", chat_id=chat.id, data={"chat_bot_id": chat.bot_id})
    payload["id"] = query.id
    return make_update(world, bot, "callback_query", payload, chat_id=chat.id, user_id=person.id), query.id
