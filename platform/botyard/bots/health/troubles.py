"""Telling the one who looks after a bot what is wrong with it, by the bot itself. See docs/bots.md."""

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from botyard.telegram.run import Lane
from db.models import Bot, OutboxRow

ADMIN_CHAT: Final = "admin_chat_id"
_OF_USE: Final = timedelta(days=1)


def tell_admin(session: Session, bot: Bot, text: str) -> bool:
    """Write a message to the chat in the bot's setting ``admin_chat_id``, in the caller's transaction.

    It goes out like everything the bot sends; a bot that cannot send tells nobody.

    Args:
        session: of the system role.
        bot: which bot.
        text: what to say, without secrets.

    Returns:
        Whether there is somebody to tell.
    """
    chat = (bot.settings or {}).get(ADMIN_CHAT)
    if type(chat) is not int or bot.status in ("error", "inactive") or bot.removal_began is not None:
        return False
    session.add(
        OutboxRow(
            bot_id=bot.id, customer_id=bot.customer_id, chat_key=str(chat), lane=Lane.REPLY, method="sendMessage",
            params={"chat_id": chat, "text": text}, deadline=datetime.now(UTC) + _OF_USE,
        )
    )  # fmt: skip
    return True
