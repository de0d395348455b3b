"""Addresses of customers to which events are sent (Standard Webhooks), and what became of each."""

from datetime import datetime

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, ForeignKey, Index, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, Created, CustomerOwned, Watched


class Endpoint(Watched, CustomerOwned, Created, Base):
    """An address to which a customer's events are sent."""

    __tablename__ = "endpoints"
    __table_args__ = (
        CheckConstraint("status IN ('active', 'disabled')", "status"),
        Index("ix_endpoints_customer_id", "customer_id"),
    )
    __topic__ = "endpoints"

    id: Mapped[int] = mapped_column(primary_key=True)
    url: Mapped[str]
    description: Mapped[str | None]
    types: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    """Which types of events; none: all but the frequent ones (`botyard.events.FREQUENT`)."""
    bots: Mapped[list[int] | None] = mapped_column(ARRAY(BigInteger))
    """Of which bots; none: of all."""
    status: Mapped[str] = mapped_column(server_default="active")
    status_reason: Mapped[str | None]
    failing_since: Mapped[datetime | None]
    """Since when nothing that was sent there was accepted."""
    after_xid: Mapped[int] = mapped_column(server_default="0")
    """Together with the next: the last event that was turned into a message; see `db.models.events.Event.xid`."""
    after_event: Mapped[int] = mapped_column(server_default="0")
    version: Mapped[int] = mapped_column(server_default="1")


class EndpointSecret(Base):
    """What signs the messages to an endpoint, sealed for this row. Only the system role may read it."""

    __tablename__ = "endpoint_secrets"
    __table_args__ = (
        CheckConstraint("name IN ('current', 'previous')", "name"),
        Index("ix_endpoint_secrets_key_id", "key_id"),
    )

    endpoint_id: Mapped[int] = mapped_column(ForeignKey("endpoints.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    customer_id: Mapped[int]
    sealed: Mapped[bytes]
    key_id: Mapped[str]
    expires_at: Mapped[datetime | None]
    """Of the previous one: until then messages carry both signatures."""
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())


class EndpointMessage(Created, Base):
    """One event on its way to one endpoint; its id is the same at every attempt."""

    __tablename__ = "endpoint_messages"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'delivered', 'failed', 'discarded')", "state"),
        Index("uq_endpoint_messages_event", "endpoint_id", "event_id", unique=True),
        Index("ix_endpoint_messages_due", "endpoint_id", "due", postgresql_where=text("state = 'waiting'")),
        Index("ix_endpoint_messages_sending", "endpoint_id", postgresql_where=text("sending_until IS NOT NULL")),
        Index("ix_endpoint_messages_endpoint", "endpoint_id", "id"),
        Index("ix_endpoint_messages_created_at", "created_at"),
        Index("ix_endpoint_messages_customer", "customer_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int]
    endpoint_id: Mapped[int] = mapped_column(ForeignKey("endpoints.id", ondelete="CASCADE"))
    event_id: Mapped[int | None]
    """None: a test."""
    type: Mapped[str]
    body: Mapped[str]
    """As it is signed and sent, byte for byte."""
    state: Mapped[str] = mapped_column(server_default="waiting")
    attempts: Mapped[int] = mapped_column(server_default="0")
    due: Mapped[datetime] = mapped_column(server_default=func.now())
    sending_until: Mapped[datetime | None]
    """While an attempt is under way: when its worker is taken for dead."""
    ended_at: Mapped[datetime | None]


class EndpointAttempt(Base):
    """One attempt to deliver a message, and what was answered."""

    __tablename__ = "endpoint_attempts"
    __table_args__ = (
        Index("ix_endpoint_attempts_message", "message_id", "id"),
        Index("ix_endpoint_attempts_customer", "customer_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int]
    message_id: Mapped[int] = mapped_column(ForeignKey("endpoint_messages.id", ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    milliseconds: Mapped[int]
    status: Mapped[int | None]
    """The HTTP status; none: there was no answer."""
    error: Mapped[str | None]
    """Why it does not count as delivered."""
    answer: Mapped[str | None]
    """The beginning of the answer's body."""
