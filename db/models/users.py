"""The people of a bot: who wrote to it, as Telegram calls them, and what the bot's owner notes of them."""

from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, Index, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, BotOwned


class BotUser(BotOwned, Base):
    """A Telegram user of a bot. Whether they can be reached stands in `Chat`."""

    __tablename__ = "bot_users"
    __table_args__ = (Index("ix_bot_users_last_seen", "bot_id", "last_seen", "user_id"),)

    bot_id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(primary_key=True)
    """Telegram's number of the user; also of the private chat with them."""
    first_name: Mapped[str] = mapped_column(server_default="")
    last_name: Mapped[str | None]
    username: Mapped[str | None]
    language_code: Mapped[str | None]
    """What their Telegram says; `language` goes first where it is set."""
    is_premium: Mapped[bool] = mapped_column(server_default="false")
    language: Mapped[str | None]
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    attributes: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    """What the bot's owner notes of them."""
    first_seen: Mapped[datetime] = mapped_column(server_default=func.now())
    last_seen: Mapped[datetime] = mapped_column(server_default=func.now())
    version: Mapped[int] = mapped_column(server_default="1")
    """Counts the changes of what the owner notes, and not those of what Telegram says."""
