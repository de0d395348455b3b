"""What the control API can be told: one function per path, from parameters to a JSON result."""

from collections.abc import Callable
from dataclasses import asdict, fields
from typing import Any

from botyard.simulator import people
from botyard.simulator.botapi import TOKEN
from botyard.simulator.errors import ControlError
from botyard.simulator.faults import KINDS, Fault
from botyard.simulator.methods.account import default_commands
from botyard.simulator.methods.webhooks import webhook_info
from botyard.simulator.model import Bot, Chat, Json, Person
from botyard.simulator.params import Params
from botyard.simulator.settings import Settings
from botyard.simulator.simulator import Simulator

ID_LIMIT = 1 << 52
"""Telegram promises that ids of users stay below this."""

Order = Callable[[Simulator, Params], Any]


def make_bot(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/bots``: create a bot, or rename the one with the token's id."""
    token, username = params.text("token"), params.text("username")
    if not TOKEN.fullmatch(token):
        raise ControlError(400, "token must look like 4200000001:AAAA…, digits and letters around a colon")
    if not username:
        raise ControlError(400, "username is required")
    bot = simulator.world.add_bot(token, username, params.text("name") or username)
    return {"id": bot.id, "username": bot.username, "name": bot.name}


def list_bots(simulator: Simulator, _: Params) -> Json:
    """``GET /sim/bots``: all bots, without their tokens."""
    world = simulator.world
    shown = [
        {
            "id": bot.id,
            "username": bot.username,
            "name": bot.name,
            "webhook": webhook_info(world, bot),
            "commands": default_commands(bot.commands),
        }
        for bot in world.bots.values()
    ]
    return {"bots": shown}


def make_person(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/people``: create a person, or replace the one with this id."""
    name = params.text("first_name").strip()
    if not name:
        raise ControlError(400, "first_name is required")
    person_id = params.integer("id", 0)
    last_name, username = params.text("last_name"), params.text("username")
    person = Person(person_id, name, last_name, username, params.text("language_code"))
    return _add_person(simulator, person).card()


def list_people(simulator: Simulator, _: Params) -> Json:
    """``GET /sim/people``: all people."""
    return {"people": [person.card() for person in simulator.world.people.values()]}


def make_group(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/groups``: create a group of people and bots."""
    world = simulator.world
    title = params.text("title")
    members = params.items("member_ids") or []
    bots = params.items("bot_ids") or []
    if not title:
        raise ControlError(400, "title is required")
    for member in members:
        if not isinstance(member, int) or member not in world.people:
            raise ControlError(404, f"there is no person {member}")
    for bot in bots:
        if not isinstance(bot, int) or bot not in world.bots:
            raise ControlError(404, f"there is no bot {bot}")
    return world.chat_card(world.add_group(title, [*members, *bots]))


def send(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/send``: a person writes."""
    bot, person = _bot(simulator, params), _person(simulator, params)
    chat = _chat(simulator, params, bot, person)
    reply_to = params.integer("reply_to", 0) or None
    sent = people.send(simulator.world, bot, person, chat, text=params.text("text"), reply_to=reply_to)
    return {"update_id": sent.update_id, "message_id": sent.message_id}


def edit(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/edit``: a person changes a message of theirs."""
    bot, person = _bot(simulator, params), _person(simulator, params)
    chat = _chat(simulator, params, bot, person)
    message_id = params.integer("message_id")
    sent = people.edit(simulator.world, bot, person, chat, message_id=message_id, text=params.text("text"))
    return {"update_id": sent.update_id, "message_id": sent.message_id}


def press(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/press``: a person presses an inline button."""
    bot, person = _bot(simulator, params), _person(simulator, params)
    chat = _chat(simulator, params, bot, person)
    message_id = params.integer("message_id")
    made = people.press(simulator.world, bot, person, chat, message_id=message_id, data=params.text("data"))
    return {"update_id": made[0], "callback_query_id": made[1]}


def block(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/block``: a person blocks or unblocks a bot."""
    bot, person = _bot(simulator, params), _person(simulator, params)
    blocked = params.flag("blocked", default=True)
    return {"update_id": people.block(simulator.world, bot, person, blocked=blocked), "blocked": blocked}


def batch(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/batch``: many people write at once; those who do not exist yet are created."""
    bot, world = _bot(simulator, params), simulator.world
    update_ids: list[int | None] = []
    for item in params.items("messages") or []:
        if not isinstance(item, dict):
            raise ControlError(400, "messages must be a list of objects with person_id and text")
        message = Params(item)
        person_id = message.integer("person_id")
        person = world.people.get(person_id) or _add_person(simulator, Person(person_id, f"Person {person_id}"))
        chat = world.private_chat(bot.id, person_id)
        update_ids.append(people.send(world, bot, person, chat, text=message.text("text")).update_id)
    return {"update_ids": update_ids}


def change_settings(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/settings``: change settings of one bot, or of all bots there are and will be."""
    world = simulator.world
    if params.has("seed"):
        world.random.seed(params.integer("seed"))
    if params.has("bot_id"):
        bot = _bot(simulator, params)
        chosen = [world.bot_settings.setdefault(bot.id, Settings(**asdict(world.settings)))]
    else:
        chosen = [world.settings, *world.bot_settings.values()]
    for settings in chosen:
        for name in ("redeliver", "late", "late_seconds", "retry_scale"):
            setattr(settings, name, max(0.0, params.number(name, getattr(settings, name))))
        settings.flood = params.flag("flood", default=settings.flood)
    return asdict(chosen[0])


def show_settings(simulator: Simulator, _: Params) -> Json:
    """``GET /sim/settings``: the settings for all, and those of bots that have their own."""
    own = {str(bot_id): asdict(settings) for bot_id, settings in simulator.world.bot_settings.items()}
    return asdict(simulator.world.settings) | {"bots": own}


def order_fault(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/faults``: let the Bot API fail, or end that."""
    kind = params.text("fault")
    bot_id = params.integer("bot_id", 0)
    if kind == "off":
        simulator.faults.off(bot_id)
        return show_faults(simulator, params)
    if kind not in KINDS:
        raise ControlError(400, f"fault must be one of {', '.join(KINDS)}, off")
    seconds = params.number("seconds", 0.0)
    fault = Fault(
        kind,
        bot_id=bot_id,
        chat_id=params.integer("chat_id", 0),
        methods=frozenset(str(name).lower() for name in params.items("methods") or []),
        count=params.integer("count", -1),
        retry_after=params.integer("retry_after", 1),
    )
    if kind == "slow":
        fault.seconds = seconds
    elif seconds:
        fault.ends = simulator.world.now() + seconds
    simulator.faults.order(fault)
    return show_faults(simulator, params)


def show_faults(simulator: Simulator, _: Params) -> Json:
    """``GET /sim/faults``: the orders in force."""
    orders = []
    for fault in simulator.faults.orders:
        shown = {entry.name: getattr(fault, entry.name) for entry in fields(fault)}
        shown["methods"] = sorted(fault.methods)
        shown["ends"] = None if fault.ends == float("inf") else fault.ends
        orders.append(shown)
    return {"faults": orders}


def pending(simulator: Simulator, _: Params) -> Json:
    """``GET /sim/pending``: updates not acknowledged, updates that will come once more, polls that wait."""
    bots = {str(bot.id): len(bot.pending) for bot in simulator.world.bots.values()}
    return {
        "total": sum(bots.values()),
        "bots": bots,
        "redeliveries": simulator.redeliveries(),
        "polls": simulator.polling.count(),
    }


def reset_history(simulator: Simulator, _: Params) -> Json:
    """``POST /sim/history/reset``: forget all events."""
    simulator.history.reset()
    return {"ok": True}


def _add_person(simulator: Simulator, person: Person) -> Person:
    if not 0 <= person.id < ID_LIMIT or person.id in simulator.world.bots:
        raise ControlError(400, "the id of a person must be positive, fit into 52 bits and belong to no bot")
    return simulator.world.add_person(person)


def _bot(simulator: Simulator, params: Params) -> Bot:
    bot_id = params.integer("bot_id")
    bot = simulator.world.bots.get(bot_id)
    if bot is None:
        raise ControlError(404, f"there is no bot {bot_id}")
    return bot


def _person(simulator: Simulator, params: Params) -> Person:
    person_id = params.integer("person_id")
    person = simulator.world.people.get(person_id)
    if person is None:
        raise ControlError(404, f"there is no person {person_id}")
    return person


def _chat(simulator: Simulator, params: Params, bot: Bot, person: Person) -> Chat:
    """Return the chat a person acts in: a group, or their private chat with the bot."""
    chat_id = params.integer("chat_id", person.id)
    if chat_id == person.id:
        return simulator.world.private_chat(bot.id, person.id)
    chat = simulator.world.chat(bot.id, chat_id)
    if chat is None or not (chat.has(person.id) and chat.has(bot.id)):
        raise ControlError(404, f"there is no chat {chat_id} with this person and this bot")
    return chat


ORDERS: dict[tuple[str, str], Order] = {
    ("POST", "/sim/bots"): make_bot,
    ("GET", "/sim/bots"): list_bots,
    ("POST", "/sim/people"): make_person,
    ("GET", "/sim/people"): list_people,
    ("POST", "/sim/groups"): make_group,
    ("POST", "/sim/send"): send,
    ("POST", "/sim/edit"): edit,
    ("POST", "/sim/press"): press,
    ("POST", "/sim/block"): block,
    ("POST", "/sim/batch"): batch,
    ("POST", "/sim/settings"): change_settings,
    ("GET", "/sim/settings"): show_settings,
    ("POST", "/sim/faults"): order_fault,
    ("GET", "/sim/faults"): show_faults,
    ("GET", "/sim/pending"): pending,
    ("POST", "/sim/history/reset"): reset_history,
}
