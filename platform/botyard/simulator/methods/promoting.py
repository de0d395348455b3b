"""Making administrators: promoteChatMember, setChatAdministratorCustomTitle, setChatMemberTag."""

from botyard.simulator.errors import bad_request
from botyard.simulator.groups import administrator
from botyard.simulator.membership import change
from botyard.simulator.methods.call import Call, method
from botyard.simulator.methods.members import NOT_ALLOWED, SUPERGROUPS_AND_CHANNELS, known_member
from botyard.simulator.model import Chat, Member
from botyard.simulator.standing import leads, rights_of

TITLE_LIMIT = 16


@method("promoteChatMember")
def promote_chat_member(call: Call) -> bool:
    """Give somebody rights of an administrator; with no right at all they are a plain member again."""
    user_id = call.user_id()
    chat = call.chat()
    if chat.type not in {"supergroup", "channel"}:
        raise bad_request(SUPERGROUPS_AND_CHANNELS)
    rights = {right: True for right in rights_of(chat.type) if call.params.flag(right)}
    if rights and chat.type == "channel" and not call.params.has("can_restrict_members"):
        rights["can_restrict_members"] = True
    member = known_member(call, chat, user_id)
    if member.status == "creator":
        raise bad_request("can't remove chat owner")
    if rights:
        _promote(call, chat, user_id, member, rights)
    else:
        _demote(call, chat, user_id, member)
    return True


@method("setChatAdministratorCustomTitle")
def set_chat_administrator_custom_title(call: Call) -> bool:
    """Name an administrator that the bot has promoted."""
    user_id = call.user_id()
    title = call.params.text("custom_title").strip()
    chat = call.chat()
    if chat.type not in {"group", "supergroup"}:
        raise bad_request("method is available only for groups and supergroups")
    member = known_member(call, chat, user_id)
    if member.status == "creator":
        raise bad_request("only the owner can edit their custom title")
    if member.status != "administrator":
        raise bad_request("user is not an administrator")
    if member.promoted_by != call.bot.id:
        raise bad_request("not enough rights to change custom title of the user")
    if any(ord(letter) > 0xFFFF for letter in title):
        raise bad_request("CUSTOM_TITLE_EMOJI_NOT_ALLOWED")
    new = Member("administrator", member.rights, title[:TITLE_LIMIT], promoted_by=member.promoted_by)
    change(call.world, chat, user_id, new, actor_id=call.bot.id)
    return True


@method("setChatMemberTag")
def set_chat_member_tag(call: Call) -> bool:
    """Put a tag beside a plain member's name."""
    user_id = call.user_id()
    tag = call.params.text("tag").strip()[:TITLE_LIMIT]
    chat = call.chat()
    if chat.type not in {"group", "supergroup"}:
        raise bad_request("method is available only for groups and supergroups")
    call.require_lead(chat, "can_manage_tags", "CHAT_ADMIN_REQUIRED")
    member = known_member(call, chat, user_id)
    if not member.present:
        raise bad_request("USER_NOT_PARTICIPANT")
    if member.leads:
        raise bad_request("TAG_CHANGE_FORBIDDEN")
    new = Member(member.status, member.rights, tag, member.until, member.inside)
    change(call.world, chat, user_id, new, actor_id=call.bot.id)
    return True


def _promote(call: Call, chat: Chat, user_id: int, member: Member, rights: dict[str, bool]) -> None:
    own = chat.members[call.bot.id]
    if user_id == call.bot.id:
        raise bad_request("can't promote self")
    if not leads(chat, call.bot.id, "can_promote_members"):
        raise bad_request("not enough rights")
    if member.status == "administrator" and member.promoted_by != call.bot.id:
        raise bad_request("CHAT_ADMIN_REQUIRED")
    if any(not own.rights.get(right, False) for right in rights if right != "can_manage_chat"):
        # A bot can give only what it has.
        raise bad_request("RIGHT_FORBIDDEN")
    if not member.present:
        raise bad_request("USER_NOT_MUTUAL_CONTACT")
    new = administrator(chat, call.bot.id, rights, member.title if member.leads else "")
    change(call.world, chat, user_id, new, actor_id=call.bot.id)


def _demote(call: Call, chat: Chat, user_id: int, member: Member) -> None:
    if member.status == "member":
        return
    if member.status == "administrator":
        if user_id != call.bot.id and not leads(chat, call.bot.id, "can_promote_members"):
            raise bad_request("not enough rights")
        if call.bot.id not in {user_id, member.promoted_by}:
            raise bad_request("CHAT_ADMIN_REQUIRED")
    elif not leads(chat, call.bot.id, "can_restrict_members"):
        raise bad_request(NOT_ALLOWED)
    if not member.present:
        raise bad_request("bots can't add new chat members")
    change(call.world, chat, user_id, Member(), actor_id=call.bot.id)
