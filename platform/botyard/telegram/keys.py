"""Which order an update belongs to.

Updates with the same chat key take effect one after the other. A key is a short text: ``<chat id>`` (a private chat
and its person share one), ``b<connection>:<chat id>``, ``p<poll id>``, or ``0`` for what names neither.

Source: https://core.telegram.org/bots/api#update
"""

import re
from typing import Any, Final

NOWHERE: Final = "0"

_IN_A_CHAT: Final = frozenset({
    "message", "edited_message", "channel_post", "edited_channel_post",
    "message_reaction", "message_reaction_count", "my_chat_member", "chat_member",
    "chat_join_request", "chat_boost", "removed_chat_boost", "guest_message",
})  # fmt: skip
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")
_OF_A_BUSINESS: Final = frozenset({"business_message", "edited_business_message", "deleted_business_messages"})
_OF_A_PERSON: Final = frozenset(
    {"inline_query", "chosen_inline_result", "shipping_query", "pre_checkout_query", "purchased_paid_media"}
)


def update_kind(update: dict[str, Any]) -> str:
    """The name of the update's one content field; ``unknown`` when there is none."""
    for key in update:
        if key != "update_id":
            return key
    return "unknown"


def chat_key(update: dict[str, Any]) -> str:
    """The key of the mailbox an update goes to. Never raises: what we cannot place goes to key ``0``."""
    kind = update_kind(update)
    content = update.get(kind)
    if not isinstance(content, dict):
        return NOWHERE
    if kind in _IN_A_CHAT:
        return _id_in(content, "chat")
    if kind == "callback_query":
        message = content.get("message")
        return _id_in(message, "chat") if isinstance(message, dict) else _id_in(content, "from")
    if kind in _OF_A_BUSINESS:
        connection, chat = content.get("business_connection_id"), _id_in(content, "chat")
        return f"b{connection}:{chat}" if _is_name(connection) and chat != NOWHERE else NOWHERE
    if kind in _OF_A_PERSON:
        return _id_in(content, "from")
    if kind in ("poll_answer", "managed_bot"):
        return _id_in(content, "user")
    if kind == "poll":
        return f"p{content['id']}" if _is_name(content.get("id")) else NOWHERE
    return NOWHERE


def awaited_query(update: dict[str, Any]) -> str | None:
    """The id of the callback query that somebody sees spinning until it is answered, if the update is one."""
    query = update.get("callback_query")
    found = query.get("id") if isinstance(query, dict) else None
    return found if _is_name(found) else None


def _id_in(content: dict[str, Any], field: str) -> str:
    inner = content.get(field)
    value = inner.get("id") if isinstance(inner, dict) else None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else NOWHERE


def _is_name(value: object) -> bool:
    # These stand in Redis keys: only what Telegram's own identifiers are made of.
    return isinstance(value, str) and _NAME.fullmatch(value) is not None
