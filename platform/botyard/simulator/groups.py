"""Groups, supergroups and channels: how they come to be, and how a group becomes a supergroup."""

from botyard.simulator.audience import post_service
from botyard.simulator.errors import ControlError
from botyard.simulator.membership import change
from botyard.simulator.model import Chat, Member
from botyard.simulator.standing import group_administrator, rights_of
from botyard.simulator.world import World

SUPERGROUP_OFFSET = -1_000_000_000_000
"""Ids of supergroups and channels lie below this (Bot API dialog ids)."""
CREATED = {
    "group": "group_chat_created",
    "supergroup": "supergroup_chat_created",
    "channel": "channel_chat_created",
}


def found(world: World, kind: str, title: str, creator_id: int, *, username: str = "") -> Chat:
    """Let a person create a chat, still alone in it.

    Args:
        world: the world it happens in.
        kind: ``group``, ``supergroup`` or ``channel``.
        title: its title.
        creator_id: the person.
        username: makes it public; not for a group.
    """
    chat = Chat(_next_id(world, kind), kind, title=title, username=username)
    chat.members[creator_id] = Member("creator")
    world.groups[chat.id] = chat
    post_service(world, chat, creator_id, {CREATED[kind]: True})
    return chat


def bring_in(world: World, chat: Chat, user_id: int, actor_id: int) -> None:
    """Add a person or bot to a chat. To a channel a bot can be added as an administrator only, and so it is."""
    leading = chat.type == "channel" and user_id in world.bots
    change(world, chat, user_id, administrator(chat, actor_id) if leading else Member(), actor_id=actor_id)


def administrator(chat: Chat, promoted_by: int, rights: dict[str, bool] | None = None, title: str = "") -> Member:
    """Return an administrator's place.

    Args:
        chat: where; in a basic group every administrator has the same rights.
        promoted_by: who gives it.
        rights: those given; without them all but promoting others and being anonymous.
        title: the custom title.
    """
    member = group_administrator()
    if chat.type != "group":
        given = rights if rights is not None else _usual_rights(chat.type)
        member.rights = {right: given.get(right, False) for right in rights_of(chat.type)}
        member.rights["can_manage_chat"] = True
    member.promoted_by, member.title = promoted_by, title
    return member


def migrate(world: World, chat: Chat) -> Chat:
    """Make a supergroup of a group.

    The supergroup has another id, the same people, and its own messages, counted from 1. Both chats get a service
    message, and bots become members of the new one; that they leave the old one they are not told
    (tdlib/telegram-bot-api, issue 266). From then on calls with the old id are refused with ``migrate_to_chat_id``.

    Args:
        world: the world it happens in.
        chat: a group; one that has migrated already is not changed.

    Returns:
        The supergroup.

    Raises:
        ControlError: there is nobody in the group who could do it.
    """
    if chat.migrated_to:
        return world.groups[chat.migrated_to]
    if not chat.present():
        raise ControlError(409, "there is nobody in the group; add somebody first")
    new = _supergroup_of(world, chat)
    world.groups[new.id] = new
    chat.migrated_to = new.id
    owner = next((user_id for user_id, member in chat.members.items() if member.status == "creator"), 0)
    actor_id = owner or next(iter(chat.present()))
    post_service(world, chat, actor_id, {"migrate_to_chat_id": new.id})
    _carry_members(world, chat, new, actor_id)
    post_service(world, new, actor_id, {"migrate_from_chat_id": chat.id}, by_chat=True)
    return new


def _supergroup_of(world: World, chat: Chat) -> Chat:
    new = Chat(_next_id(world, "supergroup"), "supergroup", title=chat.title, migrated_from=chat.id)
    new.description, new.photo, new.permissions = chat.description, chat.photo, dict(chat.permissions)
    for right in ("can_change_info", "can_pin_messages"):
        # What is missing is allowed in a group, and not in a supergroup.
        new.permissions.setdefault(right, True)
    new.links, chat.links = chat.links, {}
    new.requests, chat.requests = chat.requests, {}
    return new


def _carry_members(world: World, chat: Chat, new: Chat, actor_id: int) -> None:
    """Let people be there at once, and tell each bot that it has come."""
    for user_id, member in chat.members.items():
        if member.status == "administrator":
            carried = administrator(new, member.promoted_by or actor_id, member.rights, member.title)
        else:
            carried = Member(member.status, dict(member.rights), member.title, member.until, member.inside)
        if user_id not in world.bots or not member.present:
            new.members[user_id] = carried
            continue
        change(world, new, user_id, carried, actor_id=actor_id, quiet=True)


def _usual_rights(chat_type: str) -> dict[str, bool]:
    return {right: right not in {"can_promote_members", "is_anonymous"} for right in rights_of(chat_type)}


def _next_id(world: World, kind: str) -> int:
    chat_id = world.next_group_id
    world.next_group_id -= 1
    return chat_id if kind == "group" else SUPERGROUP_OFFSET + chat_id
