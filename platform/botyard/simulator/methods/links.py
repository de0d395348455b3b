"""Invite links, and letting in those who ask to join.

The words of refusals are those of tdlib (DialogInviteLinkManager.cpp, DialogParticipantManager.cpp), and in capitals
those of Telegram's servers.
"""

from botyard.simulator.errors import bad_request
from botyard.simulator.joining import approve, decline, new_link
from botyard.simulator.membership import show_link
from botyard.simulator.methods.call import Call, method
from botyard.simulator.model import Chat, InviteLink, Json

NAME_LIMIT = 32
MOST_MEMBERS = 99_999
ASKING_AND_LIMITED = "member limit can't be specified for links requiring administrator approval"


@method("exportChatInviteLink")
def export_chat_invite_link(call: Call) -> str:
    """Return a new primary link of the bot; its old one is revoked."""
    chat = _chat(call)
    for link in chat.links.values():
        if link.primary and link.creator_id == call.bot.id:
            link.revoked = True
    link = new_link(call.world, chat, call.bot.id)
    link.primary = True
    return link.link


@method("createChatInviteLink")
def create_chat_invite_link(call: Call) -> Json:
    """Return one more link, as a ``ChatInviteLink``."""
    chat = _chat(call)
    wanted = _read(call)
    link = new_link(call.world, chat, call.bot.id)
    link.name, link.expires, link.member_limit, link.asks = wanted
    return show_link(call.world, chat, link, call.bot.id)


@method("editChatInviteLink")
def edit_chat_invite_link(call: Call) -> Json:
    """Change a link that the bot has made; what is not given is taken away."""
    chat = _chat(call)
    wanted = _read(call)
    link = _own_link(call, chat)
    if link.primary:
        raise bad_request("CHAT_INVITE_PERMANENT")
    link.name, link.expires, link.member_limit, link.asks = wanted
    call.world.touch(chat)
    return show_link(call.world, chat, link, call.bot.id)


@method("revokeChatInviteLink")
def revoke_chat_invite_link(call: Call) -> Json:
    """End a link that the bot has made; a primary one is followed by a new one."""
    chat = _chat(call)
    link = _own_link(call, chat)
    link.revoked = True
    if link.primary:
        new_link(call.world, chat, call.bot.id).primary = True
    call.world.touch(chat)
    return show_link(call.world, chat, link, call.bot.id)


@method("approveChatJoinRequest")
def approve_chat_join_request(call: Call) -> bool:
    """Let in somebody who asked to join."""
    chat, user_id = _requested(call)
    approve(call.world, chat, user_id, call.bot.id)
    return True


@method("declineChatJoinRequest")
def decline_chat_join_request(call: Call) -> bool:
    """Refuse somebody who asked to join. They are not told."""
    chat, user_id = _requested(call)
    decline(call.world, chat, user_id)
    return True


def _chat(call: Call) -> Chat:
    chat = call.chat()
    if chat.bot_id:
        raise bad_request("can't invite members to a private chat")
    call.require_lead(chat, "can_invite_users", "not enough rights to manage chat invite link")
    return chat


def _requested(call: Call) -> tuple[Chat, int]:
    user_id = call.user_id()
    chat = call.chat()
    if chat.bot_id:
        raise bad_request("the chat can't have join requests")
    call.require_lead(chat, "can_invite_users", "not enough rights to manage chat join requests")
    if chat.has(user_id):
        raise bad_request("USER_ALREADY_PARTICIPANT")
    if user_id not in chat.requests:
        raise bad_request("HIDE_REQUESTER_MISSING")
    return chat, user_id


def _own_link(call: Call, chat: Chat) -> InviteLink:
    text = call.params.text("invite_link").strip()
    if not text:
        raise bad_request("invite link must be non-empty")
    link = chat.links.get(text)
    if link is None or link.revoked or link.creator_id != call.bot.id:
        raise bad_request("INVITE_HASH_EXPIRED")
    return link


def _read(call: Call) -> tuple[str, int, int, bool]:
    """Return name, end, limit and whether who comes must ask."""
    params = call.params
    expires = max(params.integer("expire_date", 0), 0)
    limit = min(max(params.integer("member_limit", 0), 0), MOST_MEMBERS)
    asks = params.flag("creates_join_request")
    if asks and limit:
        raise bad_request(ASKING_AND_LIMITED)
    if expires and expires <= call.world.now():
        raise bad_request("EXPIRE_DATE_INVALID")
    return params.text("name").strip()[:NAME_LIMIT], expires, limit, asks
