"""Whether a bot can reach a chat, as an update tells it."""

from typing import Any, Final

_THERE: Final = frozenset({"creator", "administrator", "member", "restricted"})
_WRITTEN: Final = ("message", "channel_post", "callback_query")


def reach_told_by(update: dict[str, Any], kind: str) -> bool | None:
    """Whether the update's chat can be reached from now on; nothing if it does not tell.

    A person who blocks or unblocks the bot, and a group that sends it away or lets it in, tell so by ``my_chat_member``
    (https://core.telegram.org/bots/api#update). Whoever writes can be reached as well.

    Args:
        update: as the Bot API delivers it.
        kind: the update's kind, which is the name of its content.
    """
    content = update.get(kind)
    if not isinstance(content, dict):
        return None
    if kind == "my_chat_member":
        member = content.get("new_chat_member")
        if not isinstance(member, dict) or "status" not in member:
            return None
        # A restricted one may be outside as well.
        return member["status"] in _THERE and member.get("is_member", True) is not False
    # Of its own removal a bot may hear once more.
    if kind in _WRITTEN and "left_chat_member" not in content:
        return True
    return None
