"""Orders about groups, supergroups and channels: making them, who is in them, and becoming a supergroup."""

from collections.abc import Container
from dataclasses import asdict

from botyard.simulator.errors import ControlError
from botyard.simulator.groups import found, migrate
from botyard.simulator.joining import come_by_link, new_link
from botyard.simulator.model import Bot, Chat, Json, Person
from botyard.simulator.orders.naming import Order, check_not_migrated, the_bot, the_person
from botyard.simulator.params import Params
from botyard.simulator.people import membership
from botyard.simulator.simulator import Simulator

KINDS = ("group", "supergroup", "channel")


def make_group(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/groups``: create a group, supergroup or channel of people and bots.

    With ``creator_id`` a person creates it and adds the others one by one, and bots are told of all that. Without, it
    is simply there, a group that nobody leads.
    """
    world, title, kind = simulator.world, params.text("title"), params.text("type", "group")
    username = params.text("username").removeprefix("@")
    if not title:
        raise ControlError(400, "title is required")
    if kind not in KINDS:
        raise ControlError(400, f"type must be one of {', '.join(KINDS)}")
    if username and kind == "group":
        raise ControlError(400, "a group has no username; make it a supergroup")
    members = [_known(one, "person", world.people) for one in params.items("member_ids") or []]
    members += [_known(one, "bot", world.bots) for one in params.items("bot_ids") or []]
    if not params.has("creator_id"):
        if kind != "group":
            raise ControlError(400, f"a {kind} needs a creator_id")
        return world.chat_card(world.add_group(title, members))
    creator = world.people[_known(params.integer("creator_id"), "person", world.people)]
    chat = found(world, kind, title, creator.id, username=username)
    for user_id in members:
        if user_id != creator.id:
            membership.add(world, creator, chat, user_id)
    return world.chat_card(chat)


def describe(simulator: Simulator, params: Params) -> Json:
    """``GET /sim/members``: who is in a chat, its invite links and who asks to join."""
    chat = _chat(simulator, params)
    return {
        "chat": simulator.world.chat_card(chat),
        "migrated_to": chat.migrated_to or None,
        "migrated_from": chat.migrated_from or None,
        "members": [
            {"user": simulator.world.card(user_id)} | asdict(member) for user_id, member in chat.members.items()
        ],
        "links": [asdict(link) for link in chat.links.values()],
        "requests": [asdict(request) for request in chat.requests.values()],
    }


def join(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/join``: a person joins a chat, by its id or by an invite link."""
    person, world = the_person(simulator, params), simulator.world
    link = params.text("invite_link")
    if link:
        return {"joined": come_by_link(world, person, link)}
    membership.join(world, person, _chat(simulator, params))
    return {"joined": True}


def leave(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/leave``: a person leaves a chat."""
    person, chat = the_person(simulator, params), _chat(simulator, params)
    membership.leave(simulator.world, person, chat)
    return {"joined": False}


def add(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/add``: a person adds somebody, a person or a bot."""
    person, chat, user_id = _three(simulator, params)
    membership.add(simulator.world, person, chat, user_id)
    return _member(simulator, chat, user_id)


def remove(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/remove``: a person removes somebody, a person or a bot."""
    person, chat, user_id = _three(simulator, params)
    membership.remove(simulator.world, person, chat, user_id)
    return _member(simulator, chat, user_id)


def promote(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/promote``: a person gives somebody the rights of an administrator, or takes them."""
    person, chat, user_id = _three(simulator, params)
    rights = params.dictionary("rights")
    membership.promote(simulator.world, person, chat, user_id, rights=rights, title=params.text("title"))
    return _member(simulator, chat, user_id)


def restrict(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/restrict``: a person takes permissions from somebody."""
    person, chat, user_id = _three(simulator, params)
    permissions = params.dictionary("permissions") or {}
    membership.restrict(simulator.world, person, chat, user_id, permissions, params.integer("until_date", 0))
    return _member(simulator, chat, user_id)


def decide(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/decide``: a person answers a request to join."""
    person, chat, user_id = _three(simulator, params)
    membership.decide(simulator.world, person, chat, user_id, approved=params.flag("approved", default=True))
    return {"joined": chat.has(user_id)}


def make_link(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/link``: a person makes an invite link."""
    person, chat = the_person(simulator, params), _chat(simulator, params)
    membership.require(chat, person, "can_invite_users")
    link = new_link(simulator.world, chat, person.id)
    link.asks = params.flag("creates_join_request")
    return {"invite_link": link.link}


def rename(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/title``: a person renames a chat."""
    person, chat = the_person(simulator, params), _chat(simulator, params)
    membership.rename(simulator.world, person, chat, params.text("title"))
    return simulator.world.chat_card(chat)


def pin(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/pin``: a person pins a message."""
    person, chat = the_person(simulator, params), _chat(simulator, params)
    membership.pin(simulator.world, person, chat, params.integer("message_id"))
    return {"pinned": chat.pinned}


def to_supergroup(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/migrate``: a group becomes a supergroup."""
    chat = _chat(simulator, params, moved=True)
    if chat.type != "group":
        raise ControlError(409, f"chat {chat.id} is a {chat.type}; only a group becomes a supergroup")
    return simulator.world.chat_card(migrate(simulator.world, chat))


def deactivate(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/deactivate``: a person deletes their account, or has it back."""
    person_id = params.integer("person_id")
    person = simulator.world.people.get(person_id)
    if person is None:
        raise ControlError(404, f"there is no person {person_id}")
    membership.deactivate(simulator.world, person, deactivated=params.flag("deactivated", default=True))
    return {"deactivated": person.deactivated}


def privacy(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/privacy``: turn a bot's privacy mode on or off, as BotFather does."""
    bot: Bot = the_bot(simulator, params)
    bot.sees_all = not params.flag("enabled", default=True)
    simulator.world.revision += 1
    return {"enabled": not bot.sees_all}


def _chat(simulator: Simulator, params: Params, *, moved: bool = False) -> Chat:
    chat_id = params.integer("chat_id")
    chat = simulator.world.groups.get(chat_id)
    if chat is None:
        raise ControlError(404, f"there is no group or channel {chat_id}")
    if not moved:
        check_not_migrated(chat)
    return chat


def _known(one: object, what: str, *known: Container[object]) -> int:
    if not isinstance(one, int) or not any(one in some for some in known):
        raise ControlError(404, f"there is no {what} {one}")
    return one


def _three(simulator: Simulator, params: Params) -> tuple[Person, Chat, int]:
    """Return who does it, where, and to whom."""
    person, chat = the_person(simulator, params), _chat(simulator, params)
    user_id = _known(params.integer("user_id"), "person or bot", simulator.world.people, simulator.world.bots)
    return person, chat, user_id


def _member(simulator: Simulator, chat: Chat, user_id: int) -> Json:
    return {"user": simulator.world.card(user_id), "status": chat.members[user_id].status}


ORDERS: dict[tuple[str, str], Order] = {
    ("POST", "/sim/groups"): make_group,
    ("GET", "/sim/members"): describe,
    ("POST", "/sim/join"): join,
    ("POST", "/sim/leave"): leave,
    ("POST", "/sim/add"): add,
    ("POST", "/sim/remove"): remove,
    ("POST", "/sim/promote"): promote,
    ("POST", "/sim/restrict"): restrict,
    ("POST", "/sim/decide"): decide,
    ("POST", "/sim/link"): make_link,
    ("POST", "/sim/title"): rename,
    ("POST", "/sim/pin"): pin,
    ("POST", "/sim/migrate"): to_supergroup,
    ("POST", "/sim/deactivate"): deactivate,
    ("POST", "/sim/privacy"): privacy,
}
