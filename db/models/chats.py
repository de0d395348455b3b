"""What is known of chats beside their conversations."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, BotOwned, Created


class Chat(BotOwned, Created, Base):
    """A chat of a bot of which something must be remembered: it cannot be reached, can be again, or moved."""

    __tablename__ = "chats"

    bot_id: Mapped[int] = mapped_column(primary_key=True)
    chat_key: Mapped[str] = mapped_column(primary_key=True)
    unreachable_since: Mapped[datetime | None]
    unreachable_reason: Mapped[str | None]
    reachable_at: Mapped[datetime | None]
    """When it was last heard that it can be reached: a refusal of a call that began before is old news."""
    moved_to: Mapped[str | None]
    """The key of the chat that this one became."""
