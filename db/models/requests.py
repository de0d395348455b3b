"""What requests leave behind: answers that are given again, and work that takes longer than an answer."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, Created


class IdempotencyKey(Created, Base):
    """A request with an ``Idempotency-Key``: what it made, and what it was answered. Kept for three days."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (
        CheckConstraint("state IN ('running', 'done')", "state"),
        Index("ix_idempotency_keys_created_at", "created_at"),
    )

    person_id: Mapped[int] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), primary_key=True)
    route: Mapped[str] = mapped_column(primary_key=True)
    """Method and the beginning of the path, and the digest of path and query."""
    key: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[bytes]
    """SHA-256 of the body: another body with the same key is refused."""
    state: Mapped[str] = mapped_column(server_default="running")
    running_until: Mapped[datetime]
    """After that, whoever was at work on it is taken for dead."""
    made: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """What it made, written in the transaction that made it: enough to answer again if the answer was never stored."""
    status: Mapped[int | None]
    headers: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    answer: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))


class Operation(Created, Base):
    """Work that takes longer than an answer may: how far it is, and what came of it."""

    __tablename__ = "operations"
    __table_args__ = (
        CheckConstraint("state IN ('queued', 'running', 'done', 'failed', 'cancelled')", "state"),
        Index("ix_operations_customer", "customer_id", "id"),
        Index("ix_operations_open", "customer_id", "id", postgresql_where=text("state IN ('queued', 'running')")),
        Index("ix_operations_finished_at", "finished_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int | None]
    """None: it belongs to the installation."""
    bot_id: Mapped[int | None]
    actor: Mapped[str]
    kind: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="queued")
    done: Mapped[int] = mapped_column(server_default="0")
    total: Mapped[int | None]
    request: Mapped[dict[str, Any]]
    """What is to be done. Never a secret in clear; what stands under ``private`` goes when it ends."""
    result: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    error: Mapped[str | None]
    """Why it failed, in a sentence for people."""
    cancel_asked_at: Mapped[datetime | None]
    runs_until: Mapped[datetime | None]
    """Until then its worker is taken to be alive; it writes this anew while it works."""
    tries: Mapped[int] = mapped_column(server_default="0")
    """How often it was claimed since it last got any further: what kills its workers is given up."""
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(server_default="1")
