"""What the chat page asks for: a person's chats, what belongs to a message, notes beside a chat."""

from botyard.simulator.errors import ControlError
from botyard.simulator.model import Chat, Json, Person
from botyard.simulator.orders.naming import Order, the_person
from botyard.simulator.params import Params
from botyard.simulator.simulator import Simulator
from botyard.simulator.trace import message_of_update, trace
from botyard.simulator.view import show_bot, show_note, show_person, shown_message

PEOPLE_SHOWN = 200
COUNTED = 21
"""How many of a chat's newest messages are named for the count of unread ones."""
TITLE_LIMIT = 300


def list_chats(simulator: Simulator, params: Params) -> Json:
    """``GET /sim/chats``: all that one person (``person_id``) sees on the left: people, bots, chats.

    Who has deleted their account is answered too, so that the page can say so.
    """
    world, person = simulator.world, the_person(simulator, params, deleted=True)
    newest = list(world.people.values())[-PEOPLE_SHOWN:]
    people = newest if person in newest else [person, *newest]
    private = [_entry(simulator, world.chats.get((bot.id, person.id)), person, bot.id) for bot in world.bots.values()]
    shared = [_entry(simulator, chat, person) for chat in world.groups.values() if not chat.migrated_to]
    return {
        "person": show_person(person),
        "people": [show_person(other) for other in people],
        "people_total": len(world.people),
        "bots": [show_bot(bot, person) for bot in world.bots.values()],
        "chats": [*private, *shared],
    }


def show_trace(simulator: Simulator, params: Params) -> Json:
    """``GET /sim/trace``: updates, deliveries and calls of a message (``bot_id``, ``chat_id``, ``message_id``)."""
    bot_id, chat_id, message_id = (params.integer(name) for name in ("bot_id", "chat_id", "message_id"))
    return trace(simulator.history, bot_id=bot_id, chat_id=chat_id, message_id=message_id)


def make_note(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/notes``: show a text, such as a traceback, beside the message of an update.

    ``bot_id``, ``title`` and ``text`` are needed, and ``chat_id`` or an ``update_id`` that tells the chat.
    """
    world = simulator.world
    bot_id, update_id = params.integer("bot_id"), params.integer("update_id", 0)
    found_chat, message_id = message_of_update(simulator.history, bot_id, update_id) if update_id else (0, 0)
    chat = world.chat(bot_id, params.integer("chat_id", found_chat))
    if chat is None:
        raise ControlError(404, "there is no such chat; give chat_id, or an update_id that is in the history")
    title, text = params.text("title").strip()[:TITLE_LIMIT], params.text("text")
    if not title:
        raise ControlError(400, "title is required")
    note = simulator.notes.add(
        (chat.bot_id, chat.id),
        at=world.now(),
        bot_id=bot_id,
        update_id=update_id,
        message_id=message_id,
        title=title,
        text=text,
    )
    world.touch(chat)
    return show_note(note)


def list_notes(simulator: Simulator, params: Params) -> Json:
    """``GET /sim/notes``: the notes beside one chat (``bot_id``, ``chat_id``)."""
    bot_id, chat_id = params.integer("bot_id"), params.integer("chat_id")
    notes = simulator.notes.of((bot_id if chat_id > 0 else 0, chat_id))
    return {"notes": [show_note(note) for note in notes]}


def _entry(simulator: Simulator, chat: Chat | None, person: Person, bot_id: int = 0) -> Json:
    """Return one line of the list; a private chat that was never opened has no messages."""
    if chat is None:
        chat = Chat(person.id, "private", bot_id=bot_id)
    world = simulator.world
    newest = [chat.messages[key] for key in list(chat.messages)[-COUNTED:]]
    member = chat.members.get(person.id)
    return {
        "bot_id": bot_id or next((user for user in chat.present() if user in world.bots), 0),
        "chat_id": chat.id,
        "type": chat.type,
        "title": chat.title,
        "username": chat.username,
        "version": chat.version,
        "last_message_id": chat.last_message_id,
        "blocked": chat.blocked,
        "inside": chat.type == "private" or chat.has(person.id),
        "status": member.status if member else "left",
        "incoming": [message.message_id for message in newest if message.sender_id != person.id],
        "last": shown_message(simulator, chat, newest[-1], person.id) if newest else None,
    }


ORDERS: dict[tuple[str, str], Order] = {
    ("GET", "/sim/chats"): list_chats,
    ("GET", "/sim/trace"): show_trace,
    ("POST", "/sim/notes"): make_note,
    ("GET", "/sim/notes"): list_notes,
}
