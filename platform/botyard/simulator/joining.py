"""Coming into a chat by an invite link, at once or after an administrator's word."""

import secrets

from botyard.simulator.errors import ControlError
from botyard.simulator.membership import change, show_link
from botyard.simulator.model import Chat, InviteLink, JoinRequest, Json, Member, Person
from botyard.simulator.standing import leads, place
from botyard.simulator.updates import make_update
from botyard.simulator.world import World

LINK = "https://t.me/+"


def new_link(world: World, chat: Chat, creator_id: int) -> InviteLink:
    """Add an invite link to a chat and return it."""
    link = InviteLink(LINK + secrets.token_urlsafe(12), creator_id)
    chat.links[link.link] = link
    world.touch(chat)
    return link


def find_link(world: World, text: str) -> tuple[Chat, InviteLink]:
    """Return the chat of an invite link, and the link.

    Raises:
        ControlError: it does not lead anywhere, or no longer.
    """
    for chat in world.groups.values():
        link = chat.links.get(text)
        if link:
            break
    else:
        raise ControlError(404, "there is no such invite link")
    if link.revoked:
        raise ControlError(409, "the invite link was revoked; ask for a new one")
    if link.expires and link.expires <= world.now():
        raise ControlError(409, "the invite link has expired; ask for a new one")
    if link.member_limit and link.joined >= link.member_limit:
        raise ControlError(409, f"the invite link let in all {link.member_limit} it was made for")
    return chat, link


def come_by_link(world: World, person: Person, text: str) -> bool:
    """Let a person use an invite link; bots that may invite are told of a request with ``chat_join_request``.

    Returns:
        Whether they are in the chat now, and not only ask to be.

    Raises:
        ControlError: the link does not work, or the person is in the chat, banned, or has asked already.
    """
    chat, link = find_link(world, text)
    check_may_come(world, chat, person)
    if not link.asks:
        link.joined += 1
        change(world, chat, person.id, returning(world, chat, person), actor_id=person.id, link=link)
        return True
    if person.id in chat.requests:
        raise ControlError(409, f"person {person.id} has asked already and must wait for an answer")
    chat.requests[person.id] = JoinRequest(person.id, int(world.now()), link.link)
    _tell(world, chat, person, link)
    world.touch(chat)
    return False


def check_may_come(world: World, chat: Chat, person: Person) -> None:
    """Refuse a person who is in the chat or banned from it.

    Raises:
        ControlError: one of the two.
    """
    member = place(chat, person.id, world.now())
    if member.present:
        raise ControlError(409, f"person {person.id} is in the chat")
    if member.status == "kicked":
        raise ControlError(403, f"person {person.id} is banned from the chat")


def returning(world: World, chat: Chat, person: Person) -> Member:
    """Return the place of a person who comes: a restriction from before still holds."""
    before = place(chat, person.id, world.now())
    if before.status != "restricted":
        return Member()
    return Member("restricted", before.rights, before.title, before.until)


def approve(world: World, chat: Chat, user_id: int, actor_id: int) -> None:
    """Let in a person who has asked. There must be such a request."""
    request = chat.requests.pop(user_id)
    link = chat.links.get(request.link)
    if link:
        link.joined += 1
    member = returning(world, chat, world.people[user_id])
    change(world, chat, user_id, member, actor_id=actor_id, link=link, approved=True)


def decline(world: World, chat: Chat, user_id: int) -> None:
    """Forget a person's request. There must be one."""
    del chat.requests[user_id]
    world.touch(chat)


def _tell(world: World, chat: Chat, person: Person, link: InviteLink) -> None:
    for bot in world.bots_in(chat):
        if not leads(chat, bot.id, "can_invite_users"):
            continue
        # Who asks to join may be written to, also by a bot they never started.
        world.private_chat(bot.id, person.id)
        payload: Json = {
            "chat": world.chat_card(chat),
            "from": person.card(),
            "user_chat_id": person.id,
            "date": int(world.now()),
            "invite_link": show_link(world, chat, link, bot.id),
        }
        make_update(world, bot, "chat_join_request", payload, chat_id=chat.id, user_id=person.id)
