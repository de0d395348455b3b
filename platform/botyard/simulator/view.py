"""What the chat page shows: a chat as it is, and which chats have changed."""

from zlib import crc32

import orjson

from botyard.simulator.methods.commands import visible_commands
from botyard.simulator.methods.profile import visible_menu_button
from botyard.simulator.model import Bot, Chat, Json, Message, Person
from botyard.simulator.notes import Note
from botyard.simulator.params import Params
from botyard.simulator.simulator import Simulator

MESSAGES_SHOWN = 200
MOST_MESSAGES = 5_000
MEMBERS_SHOWN = 200
LONGEST_WAIT = 60.0
LOOK_EVERY = 1.0
"""Seconds between two looks at what has no listener: bots, people, faults."""


async def view(simulator: Simulator, params: Params) -> Json:
    """``GET /sim/view``: a chat as it is, as soon as it differs from what the page has.

    Args:
        simulator: whose world.
        params: ``bot_id``, ``chat_id``, ``person_id`` (who looks), ``after`` (the version the page
            has), ``wait`` (seconds) and ``limit`` (of the newest messages).
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
        return {"version": 0, "blocked": False, "messages": [], "action": None, "answers": [], "notes": []}
    limit = min(max(params.integer("limit", MESSAGES_SHOWN), 1), MOST_MESSAGES)
    person_id = params.integer("person_id", chat.id)
    newest = [chat.messages[key] for key in list(chat.messages)[-limit:]]
    return {
        "version": chat.version,
        "blocked": chat.blocked,
        "chat": _about(simulator, chat),
        "commands": _commands(simulator, chat, person_id),
        "messages": [shown_message(simulator, chat, message, person_id) for message in newest],
        "earlier": len(chat.messages) > len(newest),
        "notes": [show_note(note) for note in simulator.notes.of((chat.bot_id, chat.id))],
        "action": _action(simulator, chat),
        "answers": chat.answers,
    }


async def events(simulator: Simulator, params: Params) -> Json:
    """``GET /sim/events``: the chats that changed since ``after``, as soon as there are any.

    Args:
        simulator: whose world.
        params: ``after`` and ``epoch`` of the answer before, ``sign`` likewise, ``wait`` (seconds).

    Returns:
        ``epoch``, ``place`` (the next ``after``), ``chats``, ``reset`` (read everything again) and
        ``sign``, which is another one when bots, people, groups or faults have changed.
    """
    feed = simulator.feed
    after, sign = params.integer("after", -1), params.integer("sign", 0)
    left = min(params.number("wait", 0.0), LONGEST_WAIT)
    known = params.text("epoch") == feed.epoch
    while known and after == feed.place and sign == _sign(simulator) and left > 0 and not feed.closed:
        await feed.wait(min(left, LOOK_EVERY))
        left -= LOOK_EVERY
    changed = feed.since(after) if known else None
    return {
        "epoch": feed.epoch,
        "place": feed.place,
        "chats": changed or [],
        "reset": changed is None,
        "sign": _sign(simulator),
    }


def shown_message(simulator: Simulator, chat: Chat, message: Message, person_id: int) -> Json:
    """Return a message as one person sees it: with any kind of keyboard, their votes, all reactions."""
    world = simulator.world
    shown = world.show(chat, message)
    if message.reply_markup:
        shown["reply_markup"] = message.reply_markup
    if message.reactions:
        shown["reactions"] = [
            {"from": world.card(user), "reaction": reaction} for user, reaction in message.reactions.items() if reaction
        ]
    poll = world.polls.get(message.poll_id) if message.poll_id else None
    if poll:
        shown["chosen"] = poll.answers.get(person_id)
    return shown


def show_bot(bot: Bot, person: Person) -> Json:
    """Return what the page needs to know of a bot: never its token."""
    return {
        "id": bot.id,
        "username": bot.username,
        "name": bot.name,
        "inline": bot.inline,
        "description": bot.texts.get(f"description:{person.language_code}") or bot.texts.get("description:", ""),
        "menu_button": visible_menu_button(bot, person.id),
        "delivery": "webhook" if bot.webhook else "polling",
        "pending": len(bot.pending),
    }


def show_person(person: Person) -> Json:
    """Return a person for the page, which says of somebody when their account is deleted."""
    return person.card() | ({"deactivated": True} if person.deactivated else {})


def show_note(note: Note) -> Json:
    """Return a note for the page."""
    return {
        "id": note.id,
        "at": note.at,
        "bot_id": note.bot_id,
        "update_id": note.update_id,
        "message_id": note.message_id,
        "title": note.title,
        "text": note.text,
    }


def _about(simulator: Simulator, chat: Chat) -> Json:
    """Return what the head of a chat shows."""
    world = simulator.world
    present = chat.present()
    members = [
        world.card(user) | {"status": chat.members[user].status, "title": chat.members[user].title}
        for user in present[:MEMBERS_SHOWN]
    ]
    return world.chat_card(chat) | {
        "description": chat.description,
        "members": members,
        "members_total": len(present),
        "pinned": chat.pinned,
        "requests": [world.card(request.person_id) for request in chat.requests.values()],
        "links": [link.link for link in chat.links.values() if not link.revoked],
        "migrated_to": chat.migrated_to,
    }


def _commands(simulator: Simulator, chat: Chat, person_id: int) -> list[Json]:
    """Return the commands that a person is offered; with several bots each says whose (``to``) it is."""
    world = simulator.world
    person = world.people.get(person_id)
    bots = world.bots_in(chat)
    if person is None:
        return []
    return [
        command | ({"to": bot.username} if len(bots) > 1 else {})
        for bot in bots
        for command in visible_commands(bot, person, chat)
    ]


def _action(simulator: Simulator, chat: Chat) -> Json | None:
    left = chat.action_ends - simulator.world.now()
    if not chat.action or left <= 0:
        return None
    return {"action": chat.action, "seconds": round(left, 1)}


def _sign(simulator: Simulator) -> int:
    world = simulator.world
    bots = [
        (bot.id, bot.name, bot.username, bot.commands, bot.texts, bot.menu_buttons, bot.webhook is None, bot.inline)
        for bot in world.bots.values()
    ]
    rest = (len(world.people), len(world.groups), len(simulator.faults.orders))
    return crc32(orjson.dumps((bots, rest), option=orjson.OPT_NON_STR_KEYS))
