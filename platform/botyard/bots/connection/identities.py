"""Telegram bots that a bot was before: another one takes its place, or takes it over. See docs/bots.md."""

from datetime import UTC, datetime
from typing import Final

from sqlalchemy.orm import Session

from botyard.bots.connection.doors import new_public_id
from botyard.vault.sealed import OLDER_KEY_ID, token_of, webhook_of
from db.models import Bot, BotIdentity, BotSecret

# While a deploy goes on, older processes find no secret there and wait; nothing at all would end them.
MOVED: Final = b""
"""What stands in a bot's own row for what is kept elsewhere."""


def take_from(session: Session, bot_id: int | None, telegram_id: int) -> None:
    """An earlier identity leaves its bot for good, with its door and its secrets: somebody has its present token."""
    for name in (token_of(telegram_id), webhook_of(telegram_id)):
        if (kept := session.get(BotSecret, (bot_id, name))) is not None:
            session.delete(kept)
    session.delete(session.get_one(BotIdentity, telegram_id))
    session.flush()


def leave(session: Session, bot: Bot, telegram_id: int) -> None:
    """Another Telegram bot takes the place of the bot's; what only its row has of the earlier one is kept."""
    earlier = session.get(BotIdentity, bot.telegram_id, with_for_update=True)
    if earlier is not None:
        earlier.leaving_since = datetime.now(UTC)
        if earlier.public_id is None:
            earlier.public_id, earlier.secret_hash = bot.public_id, bot.webhook_secret_hash
    name = token_of(bot.telegram_id)
    if bot.token_encrypted and session.get(BotSecret, (bot.id, name)) is None:
        session.add(
            BotSecret(
                bot_id=bot.id, customer_id=bot.customer_id, name=name, sealed=bot.token_encrypted, key_id=OLDER_KEY_ID
            )
        )
    bot.token_encrypted = bot.webhook_secret_encrypted = bot.webhook_secret_hash = MOVED
    session.flush()
    back = session.get(BotIdentity, telegram_id, with_for_update=True)
    if back is not None:
        back.leaving_since = None
    bot.telegram_id = telegram_id
    bot.public_id = (back and back.public_id) or new_public_id()
