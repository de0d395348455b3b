"""People press the buttons of reply keyboards: they say a text, or share what the button asks for."""

from itertools import islice
from typing import Any

from botyard.simulator.errors import ControlError
from botyard.simulator.model import Bot, Chat, Json, Message, Person
from botyard.simulator.people.writing import Sent, post, text_content
from botyard.simulator.world import World

LOOKED_BACK = 200
"""How many messages are searched for a keyboard."""
DATA_LIMIT = 4096
"""Bytes that a Mini App may send (Mini Apps, sendData)."""
MOST_USERS = 10


def tap(world: World, bot: Bot, person: Person, chat: Chat, *, text: str, given: Json) -> Sent:
    """Let a person press a button of the bot's newest reply keyboard.

    Args:
        world: the world it happens in.
        bot: whose keyboard.
        person: who presses.
        chat: where.
        text: what stands on the button.
        given: what the person shares: ``location``, ``phone_number``, ``user_ids``, ``chat_id`` or ``data``.
    """
    offered = _offered(chat, bot.id)
    keyboard = newest_keyboard(chat, bot.id)
    buttons = [button for row in (keyboard or {"keyboard": []})["keyboard"] for button in row]
    button = next((button for button in buttons if button["text"] == text), None)
    if offered is None or button is None:
        raise ControlError(409, f"the bot's keyboard has no button {text!r}")
    # In a group the apps answer the keyboard's message, so that a bot in privacy mode hears it.
    reply_to = None if chat.bot_id else offered.message_id
    return post(world, bot, person, chat, _content(world, person, chat, button, given), reply_to=reply_to)


def newest_keyboard(chat: Chat, bot_id: int) -> Json | None:
    """Return the reply keyboard that a chat shows, unless the bot has removed it."""
    message = _offered(chat, bot_id)
    markup = message.reply_markup if message else None
    return markup if markup and "keyboard" in markup else None


def _offered(chat: Chat, bot_id: int) -> Message | None:
    """Return the newest message by which the bot has shown or removed a reply keyboard."""
    for message in islice(reversed(chat.messages.values()), LOOKED_BACK):
        markup = message.reply_markup
        if markup and message.sender_id == bot_id and ("keyboard" in markup or "remove_keyboard" in markup):
            return message
    return None


def _content(world: World, person: Person, chat: Chat, button: Json, given: Json) -> Json:
    """Return what the person's message says."""
    asks = next((name for name in ASKS if button.get(name)), "")
    if not asks:
        return text_content(button["text"])
    if not chat.bot_id:
        raise ControlError(409, "such a button works in private chats only")
    return ASKS[asks](world, person, button, given)


def _contact(_: World, person: Person, __: Json, given: Json) -> Json:
    contact: Json = {"phone_number": str(given.get("phone_number") or f"+888{person.id % 10**8:08}")}
    contact |= {"first_name": person.first_name, "user_id": person.id}
    return {"contact": contact | ({"last_name": person.last_name} if person.last_name else {})}


def _location(_: World, __: Person, ___: Json, given: Json) -> Json:
    location: Any = given.get("location")
    if not isinstance(location, dict) or not {"latitude", "longitude"} <= location.keys():
        raise ControlError(400, "the button asks for location, with latitude and longitude")
    return {"location": {name: float(location[name]) for name in ("latitude", "longitude")}}


def _users(world: World, _: Person, button: Json, given: Json) -> Json:
    asked, ids = button["request_users"], given.get("user_ids") or []
    if not 0 < len(ids) <= min(asked.get("max_quantity", 1), MOST_USERS):
        raise ControlError(400, f"the button asks for 1 to {asked.get('max_quantity', 1)} user_ids")
    users = []
    for user_id in ids:
        if user_id not in world.people and user_id not in world.bots:
            raise ControlError(404, f"there is no user {user_id}")
        card = world.card(user_id)
        if asked.get("user_is_bot") not in (None, card["is_bot"]):
            raise ControlError(409, f"the button does not ask for {'bots' if card['is_bot'] else 'people'}")
        names = ["first_name", "last_name"] if asked.get("request_name") else []
        names += ["username"] if asked.get("request_username") else []
        users.append({"user_id": user_id} | {name: card[name] for name in names if name in card})
    return {"users_shared": {"request_id": asked["request_id"], "users": users}}


def _chat(world: World, person: Person, button: Json, given: Json) -> Json:
    asked, chat = button["request_chat"], world.groups.get(given.get("chat_id", 0))
    if chat is None or not chat.has(person.id):
        raise ControlError(404, "the button asks for chat_id, a chat that the person is in")
    if asked["chat_is_channel"] != (chat.type == "channel"):
        raise ControlError(409, "the button asks for a " + ("channel" if asked["chat_is_channel"] else "group"))
    shared: Json = {"request_id": asked["request_id"], "chat_id": chat.id}
    if asked.get("request_title"):
        shared["title"] = chat.title
    if asked.get("request_username") and chat.username:
        shared["username"] = chat.username
    return {"chat_shared": shared}


def _web_app(_: World, __: Person, button: Json, given: Json) -> Json:
    data = given.get("data")
    if not isinstance(data, str) or not 0 < len(data.encode()) <= DATA_LIMIT:
        raise ControlError(400, f"the Mini App sends data of 1 to {DATA_LIMIT} bytes")
    return {"web_app_data": {"data": data, "button_text": button["text"]}}


def _poll(_: World, __: Person, ___: Json, ____: Json) -> Json:
    raise ControlError(501, "people cannot make polls here")


ASKS = {
    "request_contact": _contact,
    "request_location": _location,
    "request_users": _users,
    "request_chat": _chat,
    "web_app": _web_app,
    "request_poll": _poll,
}
"""What buttons can ask for."""
