"""Chats as such: what they are called, look like and allow, and leaving them.

The words of refusals are those of tdlib (DialogManager.cpp, ChatManager.cpp).
"""

from botyard.simulator.audience import post_service
from botyard.simulator.errors import bad_request
from botyard.simulator.files import file_id
from botyard.simulator.forms import Upload
from botyard.simulator.media import KINDS, keep
from botyard.simulator.membership import change
from botyard.simulator.methods.call import Call, method
from botyard.simulator.methods.permissions import read_permissions
from botyard.simulator.model import Chat, Json, Member
from botyard.simulator.standing import PERMISSIONS, leads, permission

TITLE_LIMIT = 128
DESCRIPTION_LIMIT = 255
GIFTS = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels")


@method("getChat")
def get_chat(call: Call) -> Json:
    """Return a ``ChatFullInfo``."""
    chat = call.chat(read=True)
    shown = call.world.chat_card(chat) | {
        "accent_color_id": abs(chat.id) % 7,
        "max_reaction_count": 11,
        "accepted_gift_types": dict.fromkeys(GIFTS, chat.type == "private"),
    }
    if shown.get("username"):
        shown["active_usernames"] = [shown["username"]]
    if chat.type != "private":
        shown.update(_of_group(call, chat))
    if chat.photo:
        shown["photo"] = _photo(call, chat.photo)
    newest = next((chat.messages[one] for one in reversed(chat.pinned) if one in chat.messages), None)
    if newest:
        shown["pinned_message"] = call.world.show(chat, newest, nested=True, viewer=call.bot.id)
    return shown


@method("setChatTitle")
def set_chat_title(call: Call) -> bool:
    """Rename a chat, which leaves a service message."""
    title = " ".join(call.params.text("title").split())[:TITLE_LIMIT]
    chat = call.chat()
    if not title:
        raise bad_request("title must be non-empty")
    _require_info(call, chat, "title")
    if title != chat.title:
        chat.title = title
        post_service(call.world, chat, call.bot.id, {"new_chat_title": title})
    return True


@method("setChatPhoto")
def set_chat_photo(call: Call) -> bool:
    """Give a chat a picture, which must be uploaded; it leaves a service message."""
    photo = call.params.values.get("photo")
    if not isinstance(photo, Upload):
        raise bad_request("photo must be uploaded as an InputFile" if photo else "there is no photo in the request")
    chat = call.chat()
    _require_info(call, chat, "photo")
    sizes = keep(call.world, KINDS["photo"], photo).shown
    chat.photo = {"small": sizes[0]["file_unique_id"], "big": sizes[-1]["file_unique_id"]}
    post_service(call.world, chat, call.bot.id, {"new_chat_photo": sizes})
    return True


@method("deleteChatPhoto")
def delete_chat_photo(call: Call) -> bool:
    """Take a chat's picture away, which leaves a service message."""
    chat = call.chat()
    _require_info(call, chat, "photo")
    if chat.photo is None:
        raise bad_request("CHAT_NOT_MODIFIED")
    chat.photo = None
    post_service(call.world, chat, call.bot.id, {"delete_chat_photo": True})
    return True


@method("setChatDescription")
def set_chat_description(call: Call) -> bool:
    """Describe a chat, or remove its description."""
    description = call.params.text("description").strip()[:DESCRIPTION_LIMIT]
    chat = call.chat()
    if chat.bot_id:
        raise bad_request("can't change private chat description")
    call.require(chat, "can_change_info", "not enough rights to set chat description")
    if description == chat.description:
        raise bad_request("chat description is not modified")
    chat.description = description
    call.world.touch(chat)
    return True


@method("setChatPermissions")
def set_chat_permissions(call: Call) -> bool:
    """Say what plain members may do."""
    permissions = read_permissions(call.params)
    chat = call.chat()
    if chat.type in {"private", "channel"}:
        raise bad_request(f"can't change {chat.type} chat permissions")
    call.require(chat, "can_restrict_members", "not enough rights to change chat permissions")
    chat.permissions = permissions
    call.world.touch(chat)
    return True


@method("leaveChat")
def leave_chat(call: Call) -> bool:
    """Let the bot leave a group or channel."""
    chat = call.chat()
    if chat.bot_id:
        raise bad_request("can't leave private chats")
    change(call.world, chat, call.bot.id, Member("left"), actor_id=call.bot.id)
    return True


def _of_group(call: Call, chat: Chat) -> Json:
    shown: Json = {}
    if chat.description:
        shown["description"] = chat.description
    if chat.type != "channel":
        shown["permissions"] = {right: permission(chat, right) for right in PERMISSIONS}
    if leads(chat, call.bot.id, "can_invite_users"):
        links = (link for link in chat.links.values() if link.primary and not link.revoked)
        own = next((link.link for link in links if link.creator_id == call.bot.id), None)
        if own:
            shown["invite_link"] = own
    return shown


def _photo(call: Call, photo: Json) -> Json:
    """Return a ``ChatPhoto``: every bot knows the files by ids of its own."""
    shown: Json = {}
    for size in ("small", "big"):
        shown[f"{size}_file_id"] = file_id(call.bot.id, photo[size])
        shown[f"{size}_file_unique_id"] = photo[size]
    return shown


def _require_info(call: Call, chat: Chat, what: str) -> None:
    if chat.bot_id:
        raise bad_request(f"can't change private chat {what}")
    call.require(chat, "can_change_info", f"not enough rights to change chat {what}")
