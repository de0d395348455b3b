"""What happened, for those who watch."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base


class Event(Base):
    """One domain event, written in the transaction that caused it."""

    __tablename__ = "events"
    __table_args__ = (
        Index("ix_events_customer", "customer_id", "id"),
        Index("ix_events_settled", "customer_id", func.coalesce(text("xid"), text("0")), "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(server_default="1")
    bot_id: Mapped[int | None]
    type: Mapped[str]
    entity: Mapped[str]
    actor: Mapped[str]
    data: Mapped[dict[str, Any]]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    xid: Mapped[int | None] = mapped_column(server_default=text("pg_current_xact_id()::text::bigint"))
    """The number of the transaction that wrote it. Numbers of rows do not tell in which order they were committed: who
    reads on from one event to the next goes by (xid, id), below the oldest transaction that is still running, and
    misses none. None: older code's, before all others. After a restore into another cluster
    the release step forgets them (`db.migrate.number_anew`)."""
