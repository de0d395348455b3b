"""Who and what an order is about: the bot, person and chat named by its parameters."""

from collections.abc import Callable
from typing import Any

from botyard.simulator.errors import ControlError
from botyard.simulator.model import Bot, Chat, Person
from botyard.simulator.params import Params
from botyard.simulator.simulator import Simulator

ID_LIMIT = 1 << 52
"""Telegram promises that ids of users stay below this."""

Order = Callable[[Simulator, Params], Any]


def add_person(simulator: Simulator, person: Person) -> Person:
    """Put a person into the world.

    Raises:
        ControlError: the id is no person's.
    """
    if not 0 <= person.id < ID_LIMIT or person.id in simulator.world.bots:
        raise ControlError(400, "the id of a person must be positive, fit into 52 bits and belong to no bot")
    return simulator.world.add_person(person)


def the_bot(simulator: Simulator, params: Params) -> Bot:
    """Return the bot named by ``bot_id``."""
    bot_id = params.integer("bot_id")
    bot = simulator.world.bots.get(bot_id)
    if bot is None:
        raise ControlError(404, f"there is no bot {bot_id}")
    return bot


def the_person(simulator: Simulator, params: Params, *, deleted: bool = False) -> Person:
    """Return the person named by ``person_id``; with ``deleted`` also one who has deleted their account."""
    person_id = params.integer("person_id")
    person = simulator.world.people.get(person_id)
    if person is None:
        raise ControlError(404, f"there is no person {person_id}")
    if person.deactivated and not deleted:
        raise ControlError(409, f"person {person_id} has deleted their account")
    return person


def the_chat(simulator: Simulator, params: Params, bot: Bot, person: Person) -> Chat:
    """Return the chat a person acts in: a group, or their private chat with the bot."""
    chat_id = params.integer("chat_id", person.id)
    if chat_id == person.id:
        return simulator.world.private_chat(bot.id, person.id)
    chat = simulator.world.chat(bot.id, chat_id)
    check_not_migrated(chat)
    if chat is None or not (chat.has(person.id) and chat.has(bot.id)):
        raise ControlError(404, f"there is no chat {chat_id} with this person and this bot")
    return chat


def the_place(simulator: Simulator, params: Params, person: Person) -> Chat:
    """Return the chat a person looks at: the private one with ``bot_id``, or a group or channel they are in.

    Unlike in :func:`the_chat` a bot need not be there: its messages may have come through its inline mode.
    """
    chat_id = params.integer("chat_id", person.id)
    if chat_id == person.id:
        return simulator.world.private_chat(the_bot(simulator, params).id, person.id)
    return the_group(simulator, chat_id, person)


def the_group(simulator: Simulator, chat_id: int, person: Person) -> Chat:
    """Return a group or channel that a person is in."""
    chat = simulator.world.groups.get(chat_id)
    check_not_migrated(chat)
    if chat is None or not chat.has(person.id):
        raise ControlError(404, f"there is no chat {chat_id} with this person")
    return chat


def check_not_migrated(chat: Chat | None) -> None:
    """Refuse a group that lives on as a supergroup."""
    if chat and chat.migrated_to:
        raise ControlError(409, f"group {chat.id} has become supergroup {chat.migrated_to}; use that id")
