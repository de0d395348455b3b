"""What happened, for those who watch."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, func
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base


class Event(Base):
    """One domain event, written in the transaction that caused it."""

    __tablename__ = "events"
    __table_args__ = (Index("ix_events_customer", "customer_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(server_default="1")
    bot_id: Mapped[int | None]
    type: Mapped[str]
    entity: Mapped[str]
    actor: Mapped[str]
    data: Mapped[dict[str, Any]]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
