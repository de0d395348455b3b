"""Orders that let people act: send, edit, delete, react, press, block."""

from botyard.simulator import people
from botyard.simulator.errors import ControlError
from botyard.simulator.model import Bot, Chat, Json, Message, Person
from botyard.simulator.orders.naming import Order, add_person, the_bot, the_chat, the_person, the_place
from botyard.simulator.params import Params
from botyard.simulator.reactions import EMOJI
from botyard.simulator.simulator import Simulator


def send(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/send``: a person sends a text, a file (``kind``, ``file``), an album (``items``) or other things."""
    bot, person = the_bot(simulator, params), the_person(simulator, params)
    chat = the_chat(simulator, params, bot, person)
    original, contents = None, _contents(simulator, params, person)
    if contents is None and params.has("forward"):
        source, original = _forwarded(simulator, params, bot, person)
        contents = [people.forwarded_content(simulator.world, source, original)]
    reply_to, quote = params.integer("reply_to", 0) or None, params.text("quote")
    if contents is None:
        text = params.text("text")
        if not quote:
            sent = people.send(simulator.world, bot, person, chat, text=text, reply_to=reply_to)
            return {"update_id": sent.update_id, "message_id": sent.message_id}
        contents = [people.text_content(text)]
    made = [
        people.post(simulator.world, bot, person, chat, content, reply_to=reply_to, quote=quote, original=original)
        for content in contents
    ]
    shown: Json = {"update_id": made[0].update_id, "message_id": made[0].message_id}
    if len(made) > 1:
        shown["update_ids"] = [sent.update_id for sent in made]
        shown["message_ids"] = [sent.message_id for sent in made]
    return shown


def _contents(simulator: Simulator, params: Params, person: Person) -> list[Json] | None:
    """Return the contents of new messages to send; nothing for a plain text."""
    world = simulator.world
    items = params.items("items")
    if items is not None:
        return people.album_contents(world, items)
    if params.has("kind"):
        file = params.dictionary("file") or {}
        return [people.file_content(world, params.text("kind"), file, params.text("caption"))]
    plain = people.plain_content(world, person, params)
    return [plain] if plain else None


def _forwarded(simulator: Simulator, params: Params, bot: Bot, person: Person) -> tuple[Chat, Message]:
    """Return the message to forward, and where it stands."""
    wanted = Params({"chat_id": person.id} | (params.dictionary("forward") or {}))
    source = the_chat(simulator, wanted, bot, person)
    message_id = wanted.integer("message_id")
    message = source.messages.get(message_id)
    if message is None:
        raise ControlError(404, f"there is no message {message_id} to forward")
    return source, message


def edit(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/edit``: a person changes a message of theirs."""
    bot, person = the_bot(simulator, params), the_person(simulator, params)
    chat = the_chat(simulator, params, bot, person)
    message_id = params.integer("message_id")
    sent = people.edit(simulator.world, bot, person, chat, message_id=message_id, text=params.text("text"))
    return {"update_id": sent.update_id, "message_id": sent.message_id}


def delete(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/delete``: a person deletes a message. Telegram tells no bot of it."""
    bot, person = the_bot(simulator, params), the_person(simulator, params)
    chat = the_chat(simulator, params, bot, person)
    people.delete(simulator.world, person, chat, message_id=params.integer("message_id"))
    return {"deleted": True}


def react(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/react``: a person reacts with an ``emoji``, or a list of ``ReactionType``, or takes it back."""
    bot, person = the_bot(simulator, params), the_person(simulator, params)
    chat = the_chat(simulator, params, bot, person)
    given = params.items("reaction")
    if given is None:
        emoji = params.text("emoji")
        given = [{"type": "emoji", "emoji": emoji}] if emoji else []
    reaction = [_reaction(item) for item in given]
    message_id = params.integer("message_id")
    made = people.react(simulator.world, bot, person, chat, message_id=message_id, reaction=reaction)
    return {"update_id": made}


def _reaction(item: object) -> Json:
    """Return a ``ReactionType`` of a person; unlike bots, people have custom emoji and paid ones."""
    match item:
        case {"type": "emoji", "emoji": str(emoji)} if emoji.removesuffix("\ufe0f") in EMOJI:
            return {"type": "emoji", "emoji": emoji.removesuffix("\ufe0f")}
        case {"type": "custom_emoji", "custom_emoji_id": str(custom)} if custom:
            return {"type": "custom_emoji", "custom_emoji_id": custom}
        case {"type": "paid"}:
            return {"type": "paid"}
    raise ControlError(400, "reaction must be a list of ReactionType, and emoji one of the emoji that Telegram offers")


def set_photo(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/photo``: a person has a new profile photo, from ``file``."""
    person = the_person(simulator, params)
    content = people.file_content(simulator.world, "photo", params.dictionary("file") or {})
    person.photos.insert(0, content["photo"])
    return {"photos": len(person.photos)}


def press(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/press``: a person presses an inline button; the bot behind the message hears of it."""
    person = the_person(simulator, params)
    chat, message_id = the_place(simulator, params, person), params.integer("message_id")
    message = chat.messages.get(message_id)
    bot = simulator.world.bots.get(message.author_id) if message else None
    if bot is None:
        raise ControlError(404, f"there is no message {message_id} of a bot in this chat")
    made = people.press(simulator.world, bot, person, chat, message_id=message_id, data=params.text("data"))
    return {"update_id": made[0], "callback_query_id": made[1]}


def block(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/block``: a person blocks or unblocks a bot."""
    bot, person = the_bot(simulator, params), the_person(simulator, params)
    blocked = params.flag("blocked", default=True)
    return {"update_id": people.block(simulator.world, bot, person, blocked=blocked), "blocked": blocked}


def batch(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/batch``: many people write at once; those who do not exist yet are created."""
    bot, world = the_bot(simulator, params), simulator.world
    update_ids: list[int | None] = []
    for item in params.items("messages") or []:
        if not isinstance(item, dict):
            raise ControlError(400, "messages must be a list of objects with person_id and text")
        message = Params(item)
        person_id = message.integer("person_id")
        person = world.people.get(person_id) or add_person(simulator, Person(person_id, f"Person {person_id}"))
        chat = world.private_chat(bot.id, person_id)
        update_ids.append(people.send(world, bot, person, chat, text=message.text("text")).update_id)
    return {"update_ids": update_ids}


ORDERS: dict[tuple[str, str], Order] = {
    ("POST", "/sim/send"): send,
    ("POST", "/sim/edit"): edit,
    ("POST", "/sim/delete"): delete,
    ("POST", "/sim/react"): react,
    ("POST", "/sim/photo"): set_photo,
    ("POST", "/sim/press"): press,
    ("POST", "/sim/block"): block,
    ("POST", "/sim/batch"): batch,
}
