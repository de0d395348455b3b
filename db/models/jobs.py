"""Jobs of bots: what is to be called, and when."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, BotOwned, Created


class Job(BotOwned, Created, Base):
    """A job of a bot's job queue.

    A moment that came is a *firing*: it has a number, under which it stands in the mailbox of its chat, and stays here
    until the update of that number was resolved.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        Index("ix_jobs_due", "due", postgresql_where=text("due IS NOT NULL")),
        Index("ix_jobs_name", "bot_id", "name"),
        Index("ix_jobs_firing", "bot_id", "firing_id", postgresql_where=text("firing_id IS NOT NULL")),
    )

    bot_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    callback: Mapped[str]
    """``module:qualname``, or ``timeout:`` and the name of a conversation."""
    data: Mapped[dict[str, Any]]
    """As the memory of a chat is kept."""
    chat_id: Mapped[int | None]
    user_id: Mapped[int | None]
    chat_key: Mapped[str]
    """The mailbox in which it waits for its turn."""
    trigger: Mapped[dict[str, Any]]
    """When it fires: see `botyard.jobs.triggers`."""
    grace: Mapped[int | None]
    """Seconds after which a moment is not worth firing any more; none: it always is."""
    catches_up: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether moments that were missed fire one after the other; else once for all of them."""
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    next_run: Mapped[datetime | None]
    """Its next moment; none: it is disabled, or has no further one."""
    due: Mapped[datetime | None]
    """When the sweep looks at it next: at its next moment, or to see what became of its firing."""
    firing_id: Mapped[int | None]
    """The number of its firing, while that waits or runs."""
    firing_at: Mapped[datetime | None]
    """The moment of its firing."""
    puts: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    """How often its firing was put into the mailbox: for nothing but the last time, unless Redis lost it."""
    declared: Mapped[str | None]
    """Of a job that the bot's code makes while it is built: a digest of what it says."""
    declared_version: Mapped[int | None]
    """The newest configuration version that has declared it."""
