"""Backups of the installation."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base


class Backup(Base):
    """A backup, and whether it was proven by restoring it."""

    __tablename__ = "backups"
    __table_args__ = (
        CheckConstraint("state IN ('running', 'made', 'verified', 'failed', 'removed')", "state"),
        Index("uq_backups_night", "night", unique=True, postgresql_where=text("night IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    night: Mapped[date | None]
    """Whose backup it is; none: somebody asked for it. Who writes the row first makes the night's."""
    state: Mapped[str]
    reason: Mapped[str | None]
    """Why it failed, or why it is not proven."""
    file: Mapped[str | None]
    """Its name in the folder of backups."""
    size: Mapped[int | None]
    sha256: Mapped[str | None]
    stored_as: Mapped[str | None]
    """Its name in the bucket, encrypted."""
    snapshot_at: Mapped[datetime | None]
    """The moment of which it is."""
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    finished_at: Mapped[datetime | None]
    verified_at: Mapped[datetime | None]
