"""People come and go: they join, leave, add and remove others, block a bot, and delete their account."""

from botyard.simulator.audience import is_service, post_service
from botyard.simulator.errors import ControlError
from botyard.simulator.groups import administrator, bring_in
from botyard.simulator.joining import approve, check_may_come, decline, returning
from botyard.simulator.membership import change
from botyard.simulator.model import Bot, Chat, Json, Member, Person
from botyard.simulator.standing import PERMISSIONS, may, place
from botyard.simulator.updates import make_update
from botyard.simulator.world import World


def block(world: World, bot: Bot, person: Person, *, blocked: bool) -> int | None:
    """Let a person block or unblock a bot; the bot gets ``my_chat_member`` when that changes something."""
    chat = world.private_chat(bot.id, person.id)
    if chat.blocked == blocked:
        return None
    chat.blocked = blocked
    user = bot.card()
    member: Json = {"user": user, "status": "member"}
    banned: Json = {"user": user, "status": "kicked", "until_date": 0}
    payload: Json = {
        "chat": world.chat_card(chat),
        "from": person.card(),
        "date": int(world.now()),
        "old_chat_member": member if blocked else banned,
        "new_chat_member": banned if blocked else member,
    }
    update_id = make_update(world, bot, "my_chat_member", payload, chat_id=chat.id, user_id=person.id)
    world.touch(chat)
    return update_id


def deactivate(world: World, person: Person, *, deactivated: bool) -> None:
    """Let a person delete their account, or have it back. Bots are not told; sending to it is refused with 403."""
    person.deactivated = deactivated
    for chat in world.chats.values():
        if chat.id == person.id:
            world.touch(chat)
    world.revision += 1


def join(world: World, person: Person, chat: Chat) -> None:
    """Let a person into a chat by themselves, as into a public one.

    Raises:
        ControlError: they are in it, or banned.
    """
    check_may_come(world, chat, person)
    change(world, chat, person.id, returning(world, chat, person), actor_id=person.id)


def leave(world: World, person: Person, chat: Chat) -> None:
    """Let a person leave a chat. What they were restricted to holds when they come back."""
    member = place(chat, person.id, world.now())
    if not member.present:
        raise ControlError(409, f"person {person.id} is not in the chat")
    gone = Member("left")
    if member.status == "restricted":
        gone = Member("restricted", member.rights, member.title, member.until, inside=False)
    change(world, chat, person.id, gone, actor_id=person.id)


def add(world: World, person: Person, chat: Chat, user_id: int) -> None:
    """Let a person add somebody, a person or a bot, to their chat.

    Raises:
        ControlError: they may not, or the other is there already.
    """
    require(chat, person, "can_invite_users")
    if place(chat, user_id, world.now()).present:
        raise ControlError(409, f"user {user_id} is in the chat")
    bring_in(world, chat, user_id, person.id)


def remove(world: World, person: Person, chat: Chat, user_id: int) -> None:
    """Let a person remove and ban somebody, a person or a bot.

    Raises:
        ControlError: they may not, or the other is not there or is the creator.
    """
    require(chat, person, "can_restrict_members")
    member = place(chat, user_id, world.now())
    if not member.present:
        raise ControlError(409, f"user {user_id} is not in the chat")
    if member.status == "creator":
        raise ControlError(409, "the creator of a chat cannot be removed")
    banned = chat.type != "group" or user_id in world.bots
    change(world, chat, user_id, Member("kicked" if banned else "left"), actor_id=person.id)


def promote(
    world: World, person: Person, chat: Chat, user_id: int, *, rights: dict[str, bool] | None, title: str
) -> None:
    """Let a person make somebody an administrator.

    Args:
        world: the world it happens in.
        person: who does it.
        chat: where.
        user_id: a person or bot in it.
        rights: flags of ``ChatAdministratorRights``; none at all takes the rank away, ``None`` gives the usual ones.
        title: the custom title.

    Raises:
        ControlError: they may not, the other is not there or is the creator, or a flag is no boolean.
    """
    require(chat, person, "can_promote_members")
    _check_flags("rights", rights or {})
    member = place(chat, user_id, world.now())
    if not member.present or member.status == "creator":
        raise ControlError(409, f"user {user_id} must be in the chat and not be its creator")
    given = rights is None or any(rights.values())
    new = administrator(chat, person.id, rights, title) if given else Member()
    change(world, chat, user_id, new, actor_id=person.id)


def restrict(world: World, person: Person, chat: Chat, user_id: int, rights: dict[str, bool], until: int) -> None:
    """Let a person take permissions from somebody in a supergroup; flags that are missing are taken.

    Raises:
        ControlError: they may not, the other leads, or a flag is no boolean.
    """
    require(chat, person, "can_restrict_members")
    _check_flags("permissions", rights)
    member = place(chat, user_id, world.now())
    if chat.type != "supergroup" or member.leads:
        raise ControlError(409, "only plain members of a supergroup can be restricted")
    wanted = {right: rights.get(right, False) for right in PERMISSIONS}
    new = Member("restricted", wanted, until=until, inside=member.present)
    change(world, chat, user_id, Member() if all(wanted.values()) else new, actor_id=person.id)


def decide(world: World, person: Person, chat: Chat, user_id: int, *, approved: bool) -> None:
    """Let a person answer somebody's request to join.

    Raises:
        ControlError: they may not, there is no such request, or the other is in the chat.
    """
    require(chat, person, "can_invite_users")
    if user_id not in chat.requests:
        raise ControlError(404, f"person {user_id} has not asked to join")
    if chat.has(user_id):
        raise ControlError(409, f"person {user_id} is in the chat")
    if approved:
        approve(world, chat, user_id, person.id)
    else:
        decline(world, chat, user_id)


def rename(world: World, person: Person, chat: Chat, title: str) -> None:
    """Let a person change a chat's title.

    Raises:
        ControlError: they may not, or it is empty.
    """
    require(chat, person, "can_change_info")
    if not title:
        raise ControlError(400, "title is required")
    chat.title = title
    post_service(world, chat, person.id, {"new_chat_title": title})


def pin(world: World, person: Person, chat: Chat, message_id: int) -> None:
    """Let a person pin a message.

    Raises:
        ControlError: they may not, there is no such message, or it only says what happened.
    """
    require(chat, person, "can_edit_messages" if chat.type == "channel" else "can_pin_messages")
    message = chat.messages.get(message_id)
    if message is None:
        raise ControlError(404, f"there is no message {message_id}")
    if is_service(message):
        raise ControlError(409, "a service message cannot be pinned")
    if message_id in chat.pinned:
        chat.pinned.remove(message_id)
    chat.pinned.append(message_id)
    shown = world.show(chat, message, nested=True, viewer=chat.bot_id)
    post_service(world, chat, person.id, {"pinned_message": shown})


def check_may_write(world: World, chat: Chat, person: Person, right: str = "can_send_messages") -> None:
    """Refuse what a person may not say in a group or channel.

    Args:
        world: the world it happens in.
        chat: where; in a private chat everything is allowed.
        person: who writes.
        right: what they need for it in a group, a flag of ``ChatPermissions``.

    Raises:
        ControlError: they may not.
    """
    if chat.bot_id:
        return
    place(chat, person.id, world.now())
    require(chat, person, "can_post_messages" if chat.type == "channel" else right)


def require(chat: Chat, person: Person, right: str) -> None:
    """Refuse what a person may not do in a group or channel.

    Raises:
        ControlError: they lack the right, a flag of ``ChatMemberAdministrator`` or ``ChatPermissions``.
    """
    if not may(chat, person.id, right):
        raise ControlError(403, f"person {person.id} may not do this here: they lack {right}")


def _check_flags(name: str, flags: dict[str, bool]) -> None:
    """Refuse what is no boolean: nothing else can be read from a snapshot."""
    wrong = next((flag for flag, value in flags.items() if not isinstance(value, bool)), None)
    if wrong is not None:
        raise ControlError(400, f"{name}.{wrong} must be true or false")
