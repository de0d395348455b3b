"""Who is in a chat, and removing and restricting them.

The words of refusals are those of tdlib (DialogParticipantManager.cpp), and in capitals those of Telegram's servers.
"""

from botyard.simulator.errors import bad_request
from botyard.simulator.membership import change
from botyard.simulator.methods.call import Call, method
from botyard.simulator.methods.permissions import read_permissions
from botyard.simulator.model import Chat, Json, Member
from botyard.simulator.standing import leads, place, show_member

SHORTEST_BAN = 30
LONGEST_BAN = 366 * 24 * 3600
"""Seconds; what ends sooner than the one or later than the other never ends (Bot API, banChatMember)."""
SUPERGROUPS_AND_CHANNELS = "method is available for supergroup and channel chats only"
NOT_ALLOWED = "not enough rights to restrict/unrestrict chat member"


@method("getChatMember")
def get_chat_member(call: Call) -> Json:
    """Return a ``ChatMember``; who was never there has left."""
    user_id = call.user_id()
    chat = call.chat(read=user_id == call.bot.id)
    if chat.type == "channel" and user_id != call.bot.id and not chat.members[call.bot.id].leads:
        raise bad_request("member list is inaccessible")
    member = known_member(call, chat, user_id)
    return show_member(call.world, chat, user_id, member, call.bot.id)


@method("getChatMemberCount")
def get_chat_member_count(call: Call) -> int:
    """Return how many are in a chat."""
    return len(call.chat().present())


@method("getChatAdministrators")
def get_chat_administrators(call: Call) -> list[Json]:
    """Return the administrators as ``ChatMember``, the creator among them; other bots only if asked for."""
    chat = call.chat()
    if chat.bot_id:
        raise bad_request("there are no administrators in the private chat")
    if chat.type == "channel" and not chat.members[call.bot.id].leads:
        raise bad_request("member list is inaccessible")
    bots = call.params.flag("return_bots")
    return [
        show_member(call.world, chat, user_id, member, call.bot.id)
        for user_id, member in chat.members.items()
        if member.leads and (bots or user_id == call.bot.id or user_id not in call.world.bots)
    ]


@method("banChatMember")
def ban_chat_member(call: Call) -> bool:
    """Remove somebody, so that they cannot come back; from a basic group they are only removed."""
    user_id, until = call.user_id(), _until(call)
    call.params.flag("revoke_messages")
    chat = call.chat()
    if chat.bot_id:
        raise bad_request("can't ban members in private chats")
    member = known_member(call, chat, user_id)
    if chat.type == "group":
        _remove_from_group(call, chat, user_id, member)
        return True
    _check_restrictable(call, chat, user_id, member)
    change(call.world, chat, user_id, Member("kicked", until=until), actor_id=call.bot.id)
    return True


@method("unbanChatMember")
def unban_chat_member(call: Call) -> bool:
    """Let somebody come back. Who is in the chat is removed, unless ``only_if_banned`` is set."""
    user_id = call.user_id()
    chat = call.chat()
    if chat.type not in {"supergroup", "channel"}:
        raise bad_request(SUPERGROUPS_AND_CHANNELS)
    member = known_member(call, chat, user_id)
    if call.params.flag("only_if_banned") and member.status != "kicked":
        return True
    _check_restrictable(call, chat, user_id, member)
    if member.present:
        change(call.world, chat, user_id, Member("kicked"), actor_id=call.bot.id)
    change(call.world, chat, user_id, Member("left"), actor_id=call.bot.id)
    return True


@method("restrictChatMember")
def restrict_chat_member(call: Call) -> bool:
    """Take permissions from somebody in a supergroup; all permissions make them a plain member again."""
    user_id, until = call.user_id(), _until(call)
    rights = read_permissions(call.params)
    chat = call.chat()
    if chat.type != "supergroup":
        raise bad_request("method is available only for supergroups")
    member = known_member(call, chat, user_id)
    _check_restrictable(call, chat, user_id, member)
    if all(rights.values()):
        new = Member("member" if member.present else "left")
    else:
        new = Member("restricted", rights, until=until, inside=member.present)
    change(call.world, chat, user_id, new, actor_id=call.bot.id)
    return True


@method("banChatSenderChat")
def ban_chat_sender_chat(call: Call) -> bool:
    """Keep a channel from speaking in a chat. Nobody does so here, which makes no difference to the answer."""
    return _sender_chat(call)


@method("unbanChatSenderChat")
def unban_chat_sender_chat(call: Call) -> bool:
    """Let a channel speak in a chat again."""
    return _sender_chat(call)


def known_member(call: Call, chat: Chat, user_id: int) -> Member:
    """Return somebody's place in a chat.

    Raises:
        ApiError: there is nobody with this id; in a private chat also when it is a third.
    """
    world = call.world
    known = user_id in world.people or user_id in world.bots
    if chat.bot_id:
        if user_id not in chat.members:
            raise bad_request("member not found")
        return Member()
    if not known:
        raise bad_request("member not found" if chat.type == "group" else "PARTICIPANT_ID_INVALID")
    return place(chat, user_id, world.now())


def _check_restrictable(call: Call, chat: Chat, user_id: int, member: Member) -> None:
    if member.status == "creator":
        raise bad_request("can't remove chat owner")
    if user_id == call.bot.id:
        raise bad_request("can't restrict self")
    if not leads(chat, call.bot.id, "can_restrict_members"):
        raise bad_request(NOT_ALLOWED)
    if member.status == "administrator" and member.promoted_by != call.bot.id:
        raise bad_request("user is an administrator of the chat")


def _remove_from_group(call: Call, chat: Chat, user_id: int, member: Member) -> None:
    if user_id == call.bot.id:
        change(call.world, chat, user_id, Member("left"), actor_id=user_id)
        return
    if not leads(chat, call.bot.id, "can_restrict_members") or member.leads:
        raise bad_request("CHAT_ADMIN_REQUIRED")
    if not member.present:
        raise bad_request("USER_NOT_PARTICIPANT")
    # A person may come back to a basic group; a bot is told from then on that it was kicked.
    status = "kicked" if user_id in call.world.bots else "left"
    change(call.world, chat, user_id, Member(status), actor_id=call.bot.id)


def _sender_chat(call: Call) -> bool:
    chat = call.chat()
    sender_chat_id = call.params.integer("sender_chat_id")
    if sender_chat_id not in call.world.groups:
        raise bad_request("chat not found")
    if chat.type not in {"supergroup", "channel"}:
        raise bad_request("can't ban chats in basic groups")
    call.require_lead(chat, "can_restrict_members", NOT_ALLOWED)
    return True


def _until(call: Call) -> int:
    until = call.params.integer("until_date", 0)
    left = until - call.world.now()
    return until if SHORTEST_BAN <= left <= LONGEST_BAN else 0
