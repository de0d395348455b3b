"""Files that Telegram has of a bot."""

from datetime import datetime

from sqlalchemy import Index, func
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, BotOwned, Created


class Media(BotOwned, Created, Base):
    """Telegram's id of a file that a bot has uploaded: the same content is sent by it from then on."""

    __tablename__ = "media"
    __table_args__ = (Index("ix_media_used_at", "used_at"),)

    bot_id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    """What it was sent as, such as ``photo``, and a digest of what Telegram keeps with it, such as its name."""
    file_id: Mapped[str]
    size: Mapped[int]
    used_at: Mapped[datetime] = mapped_column(server_default=func.now())
