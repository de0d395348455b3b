"""Who somebody is in a chat: their place, their rights, and the ``ChatMember`` that Telegram shows of them.

The flags are those of ``ChatPermissions`` and ``ChatAdministratorRights`` (Bot API).
"""

from botyard.simulator.model import Chat, Json, Member
from botyard.simulator.world import World

PERMISSIONS = (
    "can_send_messages",
    "can_send_audios",
    "can_send_documents",
    "can_send_photos",
    "can_send_videos",
    "can_send_video_notes",
    "can_send_voice_notes",
    "can_send_polls",
    "can_send_other_messages",
    "can_add_web_page_previews",
    "can_react_to_messages",
    "can_edit_tag",
    "can_change_info",
    "can_invite_users",
    "can_pin_messages",
    "can_manage_topics",
)
"""What plain members may be allowed (``ChatPermissions``)."""
ADMINISTRATORS_RIGHTS = (
    "can_manage_chat",
    "can_delete_messages",
    "can_manage_video_chats",
    "can_restrict_members",
    "can_promote_members",
    "can_change_info",
    "can_invite_users",
    "can_post_stories",
    "can_edit_stories",
    "can_delete_stories",
    "can_send_welcome_messages",
    "is_anonymous",
)
"""Rights that administrators of any chat have or lack (``ChatAdministratorRights``)."""
RIGHTS_BY_TYPE = {
    "group": ("can_pin_messages", "can_manage_tags"),
    "supergroup": ("can_pin_messages", "can_manage_topics", "can_manage_tags"),
    "channel": ("can_post_messages", "can_edit_messages", "can_manage_direct_messages"),
}
"""Rights that exist in one type of chat only."""
NOT_FOR_MEMBERS = frozenset({"can_change_info", "can_pin_messages", "can_manage_topics"})
"""What members of a new supergroup may not do."""
GROUP_ADMINISTRATORS_LACK = frozenset({"can_promote_members", "is_anonymous"})
"""An administrator of a basic group has every right but these: Telegram cannot give single rights there."""


def rights_of(chat_type: str) -> tuple[str, ...]:
    """Return the rights that an administrator of such a chat has or lacks."""
    return ADMINISTRATORS_RIGHTS + RIGHTS_BY_TYPE[chat_type]


def group_administrator() -> Member:
    """Return the only kind of administrator that a basic group has."""
    return Member("administrator", {right: right not in GROUP_ADMINISTRATORS_LACK for right in rights_of("group")})


def permission(chat: Chat, right: str) -> bool:
    """Tell whether plain members of a group may do something."""
    return chat.permissions.get(right, chat.type == "group" or right not in NOT_FOR_MEMBERS)


def may(chat: Chat, user_id: int, right: str) -> bool:
    """Tell whether somebody has a right in a chat.

    Args:
        chat: where; in a private chat everything is allowed.
        user_id: a person or a bot.
        right: a flag of ``ChatMemberAdministrator`` or ``ChatPermissions``.
    """
    if chat.bot_id:
        return True
    member = chat.members.get(user_id)
    if member is None or not member.present:
        return False
    if member.status == "creator":
        return True
    if member.status == "administrator":
        if chat.type != "channel" and right in PERMISSIONS and right not in ADMINISTRATORS_RIGHTS:
            return right != "can_pin_messages" or member.rights.get(right, False)
        return member.rights.get(right, False)
    if chat.type == "channel" or right not in PERMISSIONS:
        return False
    if member.status == "restricted" and not member.rights.get(right, False):
        return False
    return permission(chat, right)


def leads(chat: Chat, user_id: int, right: str) -> bool:
    """Tell whether somebody has a right as an administrator, and not merely as every member has it."""
    member = chat.members.get(user_id)
    return member is not None and member.leads and may(chat, user_id, right)


def is_anonymous(chat: Chat, user_id: int) -> bool:
    """Tell whether an administrator speaks as the group."""
    member = chat.members.get(user_id)
    return member is not None and member.leads and member.rights.get("is_anonymous", False)


def place(chat: Chat, user_id: int, now: float) -> Member:
    """Return somebody's place in a chat; who was never there has left. A restriction or ban ends with its time.

    Args:
        chat: a group or channel.
        user_id: a person or a bot.
        now: epoch seconds.
    """
    member = chat.members.get(user_id)
    if member is None:
        return Member("left")
    if member.until and member.until <= now:
        inside = member.status == "restricted" and member.inside
        member = chat.members[user_id] = Member("member" if inside else "left")
    return member


def show_member(world: World, chat: Chat, user_id: int, member: Member, viewer_id: int) -> Json:
    """Return a ``ChatMember``.

    Args:
        world: the world it stands in.
        chat: where.
        user_id: whose place it is.
        member: the place, now or before a change.
        viewer_id: the bot that reads it.
    """
    shown: Json = {"user": world.card(user_id), "status": member.status}
    if chat.bot_id:
        return shown
    match member.status:
        case "creator":
            shown["is_anonymous"] = member.rights.get("is_anonymous", False)
        case "administrator":
            shown["can_be_edited"] = user_id != viewer_id and member.promoted_by == viewer_id
            shown.update({right: member.rights.get(right, False) for right in rights_of(chat.type)})
        case "restricted":
            shown.update({right: member.rights.get(right, False) for right in PERMISSIONS})
            shown.update(is_member=member.inside, until_date=member.until)
        case "kicked" if chat.type == "group":
            # A basic group keeps no list of the banned: who was removed has left.
            shown["status"] = "left"
        case "kicked":
            shown["until_date"] = member.until
    if member.title:
        shown["custom_title" if member.leads else "tag"] = member.title
    return shown
