"""People, what they may do for which customer, and what they show to be known."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, Created, Watched


class Person(Watched, Created, Base):
    """Somebody who may sign in. Only the system role sees people: they belong to no customer."""

    __tablename__ = "people"
    __topic__ = "people"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    superadmin: Mapped[bool] = mapped_column(server_default="false")
    """Whether they may do everything, for every customer."""
    version: Mapped[int] = mapped_column(server_default="1")


class Membership(Watched, Created, Base):
    """What a person may do for a customer."""

    __tablename__ = "memberships"
    __table_args__ = (
        CheckConstraint("role IN ('owner', 'manager', 'operator', 'viewer')", "role"),
        Index("ix_memberships_customer_id", "customer_id"),
    )
    __topic__ = "people"
    __topic_key__ = "person_id"

    person_id: Mapped[int] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"), primary_key=True)
    role: Mapped[str]
    version: Mapped[int] = mapped_column(server_default="1")


class AccessToken(Watched, Created, Base):
    """A bearer token of a person: its digest, for the token itself is shown once and kept nowhere."""

    __tablename__ = "access_tokens"
    __table_args__ = (Index("ix_access_tokens_person_id", "person_id"),)
    __topic__ = "people"
    __topic_key__ = "person_id"
    __masked__ = frozenset({"digest"})

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"))
    digest: Mapped[bytes] = mapped_column(unique=True)
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class AuditEntry(Base):
    """Who changed what, from what to what. No working role may change or remove an entry."""

    __tablename__ = "audit"
    __table_args__ = (
        CheckConstraint("action IN ('created', 'updated', 'deleted')", "action"),
        Index("ix_audit_customer", "customer_id", "id"),
        Index("ix_audit_bot", "bot_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    customer_id: Mapped[int | None]
    """None: it belongs to the installation."""
    bot_id: Mapped[int | None]
    actor: Mapped[str]
    action: Mapped[str]
    entity: Mapped[str]
    """Its table and key, as ``bots:12``."""
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    after: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
