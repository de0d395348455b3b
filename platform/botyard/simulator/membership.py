"""Changes of who somebody is in a chat, and what bots are told of them.

The bot concerned gets ``my_chat_member``; bots that are administrators get ``chat_member`` if they ask for it; joining
and leaving a group leaves a service message as well (Bot API, ChatMemberUpdated).
"""

from botyard.simulator.audience import post_service
from botyard.simulator.model import Bot, Chat, InviteLink, Json, Member
from botyard.simulator.standing import place, show_member
from botyard.simulator.updates import make_update
from botyard.simulator.world import World

LINK_SHOWN = 22
"""How much of an invite link other administrators see, ``https://t.me/+`` and eight characters."""


def change(
    world: World,
    chat: Chat,
    user_id: int,
    member: Member,
    *,
    actor_id: int,
    link: InviteLink | None = None,
    approved: bool = False,
    quiet: bool = False,
) -> None:
    """Give somebody another place in a chat, and tell the bots.

    Args:
        world: the world it happens in.
        chat: a group or channel.
        user_id: whose place.
        member: the new one.
        actor_id: who did it.
        link: the invite link they came by.
        approved: whether a join request was approved.
        quiet: leave no service message.
    """
    before = place(chat, user_id, world.now())
    chat.members[user_id] = member
    if member.present:
        chat.requests.pop(user_id, None)
    _tell(world, chat, user_id, before, actor_id=actor_id, link=link, approved=approved)
    if not quiet and chat.type != "channel" and before.present != member.present:
        user = world.card(user_id)
        if member.present:
            # Whoever comes by a link says so themselves, whoever let them in.
            sender_id = user_id if link or approved else actor_id
            post_service(world, chat, sender_id, {"new_chat_members": [user]})
        else:
            _say_left(world, chat, user_id, actor_id, user)
    world.touch(chat)


def show_link(world: World, chat: Chat, link: InviteLink, viewer_id: int) -> Json:
    """Return a ``ChatInviteLink``; of the links of others a bot sees the beginning only."""
    own = link.creator_id == viewer_id
    shown: Json = {
        "invite_link": link.link if own else f"{link.link[:LINK_SHOWN]}...",
        "creator": world.card(link.creator_id),
        "creates_join_request": link.asks,
        "is_primary": link.primary,
        "is_revoked": link.revoked,
    }
    if link.name:
        shown["name"] = link.name
    if link.expires:
        shown["expire_date"] = link.expires
    if link.member_limit:
        shown["member_limit"] = link.member_limit
    waiting = sum(request.link == link.link for request in chat.requests.values())
    if waiting:
        shown["pending_join_request_count"] = waiting
    return shown


def _tell(
    world: World,
    chat: Chat,
    user_id: int,
    before: Member,
    *,
    actor_id: int,
    link: InviteLink | None,
    approved: bool,
) -> None:
    after = chat.members[user_id]
    for bot in _told(world, chat, user_id):
        kind = "my_chat_member" if bot.id == user_id else "chat_member"
        if not bot.wants(kind):
            continue
        payload: Json = {
            "chat": world.chat_card(chat),
            "from": world.card(actor_id),
            "date": int(world.now()),
            "old_chat_member": show_member(world, chat, user_id, before, bot.id),
            "new_chat_member": show_member(world, chat, user_id, after, bot.id),
        }
        if payload["old_chat_member"] == payload["new_chat_member"]:
            continue
        if link:
            payload["invite_link"] = show_link(world, chat, link, bot.id)
        if approved:
            payload["via_join_request"] = True
        make_update(world, bot, kind, payload, chat_id=chat.id, user_id=user_id)


def _told(world: World, chat: Chat, user_id: int) -> list[Bot]:
    """Return the bot concerned, and the bots that are administrators."""
    concerned = [world.bots[user_id]] if user_id in world.bots else []
    return concerned + [bot for bot in world.bots_in(chat) if bot.id != user_id and chat.members[bot.id].leads]


def _say_left(world: World, chat: Chat, user_id: int, actor_id: int, user: Json) -> None:
    """Post that somebody has left; a bot that left hears that much and nothing after."""
    message = post_service(world, chat, actor_id, {"left_chat_member": user})
    bot = world.bots.get(user_id)
    if bot:
        shown = world.show(chat, message, viewer=bot.id)
        make_update(world, bot, "message", shown, chat_id=chat.id, user_id=actor_id)
