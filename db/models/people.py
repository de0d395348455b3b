"""People, what they may do for which customer, and what they show to be known."""

from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, ForeignKey, Index, Text, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, Created, Watched


class Person(Watched, Created, Base):
    """Somebody who may sign in. Only the system role sees people: they belong to no customer."""

    __tablename__ = "people"
    __topic__ = "people"
    __masked__ = frozenset({"password_hash"})

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    superadmin: Mapped[bool] = mapped_column(server_default="false")
    """Whether they may do everything, for every customer."""
    password_hash: Mapped[str | None]
    """Argon2id, with its parameters; none: they cannot sign in with a password."""
    password_since: Mapped[datetime | None]
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
    """An API key: its digest, for the key itself is shown once and kept nowhere.

    It may do what its person may, within its scopes, its customer and its bots.
    """

    __tablename__ = "access_tokens"
    __table_args__ = (Index("ix_access_tokens_person_id", "person_id"),)
    __topic__ = "people"
    __topic_key__ = "person_id"
    __masked__ = frozenset({"digest"})

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"))
    public_id: Mapped[str | None] = mapped_column(unique=True)
    """The part of the key that is no secret, by which it is looked up; none: older code has made it."""
    digest: Mapped[bytes] = mapped_column(unique=True)
    name: Mapped[str | None]
    """What it is for, in its person's words."""
    scopes: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    """None: whatever its person may."""
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"))
    """None: every customer of its person."""
    bots: Mapped[list[int] | None] = mapped_column(ARRAY(BigInteger))
    """None: every bot of its customers."""
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    replaced_at: Mapped[datetime | None]
    """Since when it gives way to another one."""
    last_used_at: Mapped[datetime | None]


class SignIn(Created, Base):
    """A sign-in of a person: the chain of refresh tokens that began with a password; only the last one is valid."""

    __tablename__ = "sign_ins"
    __table_args__ = (Index("ix_sign_ins_person_id", "person_id"), Index("ix_sign_ins_expires_at", "expires_at"))

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"))
    digest: Mapped[bytes]
    """Of the refresh token that is valid now."""
    previous_digest: Mapped[bytes | None]
    """Of the one before it: shown again, it was stolen, or its answer was lost."""
    refreshed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    revoked_reason: Mapped[str | None]
    device: Mapped[str | None]
    """What the browser or program calls itself."""


class Invitation(Watched, Created, Base):
    """A link that is valid once: for the first superadmin, for a new member of a customer, for a forgotten password."""

    __tablename__ = "invitations"
    __table_args__ = (
        CheckConstraint("purpose IN ('first', 'member', 'password')", "purpose"),
        CheckConstraint("role IN ('owner', 'manager', 'operator', 'viewer')", "role"),
        Index("ix_invitations_customer_id", "customer_id"),
    )
    __topic__ = "invitations"
    __masked__ = frozenset({"digest"})

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[bytes] = mapped_column(unique=True)
    purpose: Mapped[str]
    person_id: Mapped[int | None] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"))
    """Whose password it sets; none: it makes a person."""
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customers.id", ondelete="CASCADE"))
    role: Mapped[str | None]
    invited_by: Mapped[int | None] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"))
    """None: the operator of the installation."""
    key_id: Mapped[int | None] = mapped_column(ForeignKey("access_tokens.id", ondelete="CASCADE"))
    """With which API key it was made, if with one."""
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


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
