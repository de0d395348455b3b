"""What handlers called at once, and what Telegram answered; and what buttons carry."""

from typing import Any

from sqlalchemy import Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, BotOwned, Created


class JournalRow(BotOwned, Created, Base):
    """One call that did not wait for the commit: code that runs again is given the answer instead of calling again."""

    __tablename__ = "journal"
    __table_args__ = (Index("ix_journal_created_at", "created_at"),)

    bot_id: Mapped[int] = mapped_column(primary_key=True)
    scope: Mapped[str] = mapped_column(primary_key=True)
    """What ran: an update, or the start of an application."""
    position: Mapped[int] = mapped_column(primary_key=True)
    """Which of its calls this was, from 1."""
    digest: Mapped[str]
    """Of the method and its parameters: another call at this position is made anew."""
    answer: Mapped[Any] = mapped_column(JSONB)


class Keyboard(BotOwned, Created, Base):
    """The objects that the buttons of one keyboard carry, where Telegram has only numbers of them."""

    __tablename__ = "keyboards"
    __table_args__ = (Index("ix_keyboards_created_at", "created_at"),)

    bot_id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(primary_key=True)
    """As python-telegram-bot made it up."""
    buttons: Mapped[dict[str, Any]]
    """What each button carries, by the button's number; see `botyard.state.codec`."""
