"""Whom calls may reach while a bot is tried with its real token: the one place that decides. See docs/bots.md."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from botyard.settings import Settings

HELD_BACK: Final = "held back by TEST_MODE"
"""What is noted at a send that reached nobody."""

# What is about the bot itself, and so seen by whoever looks at it, is no message to anybody.
_ABOUT_ITSELF: Final = frozenset({
    "setMyCommands", "deleteMyCommands", "setMyName", "setMyDescription", "setMyShortDescription", "setMyProfilePhoto",
    "removeMyProfilePhoto", "setMyDefaultAdministratorRights", "setChatMenuButton", "setWebhook", "deleteWebhook",
    "logOut", "close", "createInvoiceLink",
})  # fmt: skip
_LINK: Final = {
    "invite_link": "https://t.me/+heldback", "creator": {"id": 1, "is_bot": True, "first_name": "nobody"},
    "creates_join_request": False, "is_primary": False, "is_revoked": False,
}  # fmt: skip
_ANSWERS: Final[Mapping[str, Any]] = {
    "exportChatInviteLink": _LINK["invite_link"],
    "createInvoiceLink": "https://t.me/$heldback",
    "answerWebAppQuery": {"inline_message_id": "held back"},
    "answerGuestQuery": {"inline_message_id": "held back"},
    "savePreparedInlineMessage": {"id": "held back", "expiration_date": 0},
    "savePreparedKeyboardButton": {"id": "held back"},
    "replaceManagedBotToken": "held back",
    "uploadStickerFile": {"file_id": "held back", "file_unique_id": "held back"},
}


@dataclass(frozen=True, slots=True)
class Audience:
    """The chats that calls may reach.

    Args:
        chats: their ids or @names; nothing means everybody.
    """

    chats: frozenset[str] | None = None

    def holds_back(self, method: str, params: Mapping[str, Any], cause: str) -> bool:
        """Whether a call must not be made.

        What only asks (``get…``) reaches nobody. What names a chat or a person goes by them. An answer, or a change of
        an inline message, names none: it goes by the chat whose update caused it. What is about the bot itself, such
        as its list of commands, is never held back. Everything else is: whom it reaches cannot be told.

        Args:
            method: as in ``sendMessage``.
            params: its parameters.
            cause: the key of the mailbox of the update that caused it; empty for none.
        """
        if self.chats is None or method.startswith("get"):
            return False
        target = params.get("chat_id", params.get("user_id"))
        if target is None:
            if method in _ABOUT_ITSELF:
                return "business_connection_id" in params
            if not method.startswith("answer") and "inline_message_id" not in params:
                return True
            target = cause.rpartition(":")[2]
        return str(target) not in self.chats


EVERYBODY: Final = Audience()


def audience_of(settings: Settings) -> Audience:
    """Whom the bots of this installation may reach."""
    return Audience(frozenset(settings.test_chat_ids)) if settings.test_mode else EVERYBODY


def stand_in(method: str, params: Mapping[str, Any], message_ids: Sequence[int]) -> Any:
    """An answer as Telegram might have given it to a call that was held back, before python-telegram-bot reads it.

    ``True`` where that is the answer, and for single messages, which ``OutboxBot`` makes itself.

    Args:
        method: as in ``sendMessage``.
        params: its parameters.
        message_ids: for the messages in it.
    """
    if method == "sendMediaGroup":
        chat = {"id": params.get("chat_id"), "type": "private"}
        items = params.get("media", ())
        ids = message_ids if len(message_ids) == len(items) else [1] * len(items)
        return [{"message_id": number, "date": 0, "chat": chat} for number in ids]
    if method in _ANSWERS:
        return _ANSWERS[method]
    if method.endswith("Story") and method != "deleteStory":
        return {"chat": {"id": 1, "type": "private"}, "id": 1}
    message_id = message_ids[0]
    if method == "copyMessage":
        return {"message_id": message_id}
    if method in ("copyMessages", "forwardMessages"):
        return [{"message_id": message_id} for _ in params.get("message_ids", ())]
    if method.endswith("InviteLink"):
        return _LINK
    if method == "createForumTopic":
        return {"message_thread_id": 1, "name": params.get("name", ""), "icon_color": 0}
    if method == "stopPoll":
        return {
            "id": "0", "question": "", "options": [], "total_voter_count": 0, "is_closed": True, "is_anonymous": True,
            "type": "regular", "allows_multiple_answers": False, "allows_revoting": False, "members_only": False,
        }  # fmt: skip
    return True
