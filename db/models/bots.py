"""Customers, their bots, and what is kept apart of these: secrets, doors, health, days, configurations."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, Created, CustomerOwned, Watched


class Customer(Watched, Created, Base):
    """Who owns bots."""

    __tablename__ = "customers"
    __table_args__ = (CheckConstraint("status IN ('active', 'suspended')", "status"),)
    __topic__ = "customers"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    username: Mapped[str | None] = mapped_column(unique=True)
    """What it is called in addresses and commands; none only for one that older code has made."""
    status: Mapped[str] = mapped_column(server_default="active")
    removal_began: Mapped[datetime | None]
    """When it was asked to be removed; it goes after its last bot."""
    purge_after: Mapped[datetime | None]
    """Until then what is kept of a customer that was removed stays, and the removal can be taken back."""
    version: Mapped[int] = mapped_column(server_default="1")


class Bot(Watched, CustomerOwned, Created, Base):
    """One bot: its logic's kind, its identity at Telegram, and how it is served."""

    __tablename__ = "bots"
    __table_args__ = (
        CheckConstraint("queue IN ('updates', 'slow')", "queue"),
        CheckConstraint("status IN ('active', 'inactive', 'error', 'paused', 'maintenance')", "status"),
        CheckConstraint("intake IN ('webhook', 'polling')", "intake"),
        Index("ix_bots_customer_id", "customer_id"),
    )
    __topic__ = "bots"
    __masked__ = frozenset({"token_encrypted", "webhook_secret_encrypted", "webhook_secret_hash"})

    id: Mapped[int] = mapped_column(primary_key=True)
    telegram_id: Mapped[int] = mapped_column(unique=True)
    public_id: Mapped[str] = mapped_column(unique=True)
    """The opaque name in the webhook's path; of an earlier identity see `BotIdentity`."""
    kind: Mapped[str]
    """An entry point of the group ``botyard.bots``, or ``package.module:function``."""
    name: Mapped[str]
    username: Mapped[str]
    picture: Mapped[str | None]
    """The file id of its own picture, in its smallest size."""
    token_encrypted: Mapped[bytes | None]
    """Where older code keeps the token; read only for bots that have no `BotSecret` yet. So the next two."""
    webhook_secret_encrypted: Mapped[bytes | None]
    webhook_secret_hash: Mapped[bytes | None]
    api_url: Mapped[str]
    queue: Mapped[str] = mapped_column(server_default="slow")
    share: Mapped[int | None]
    status: Mapped[str] = mapped_column(server_default="active")
    status_reason: Mapped[str | None]
    status_since: Mapped[datetime] = mapped_column(server_default=func.now())
    intake: Mapped[str] = mapped_column(server_default="webhook")
    settings: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    config_version: Mapped[int] = mapped_column(server_default="1")
    """Counts every change of the row; a trigger counts those that the code did not."""
    removal_began: Mapped[datetime | None]


class BotIdentity(Watched, CustomerOwned, Created, Base):
    """A Telegram bot id that a bot has or had, and the door through which its updates come.

    A new token may be another Telegram bot's: updates of the earlier one still come, by their own door.
    """

    __tablename__ = "bot_identities"
    __table_args__ = (Index("ix_bot_identities_bot_id", "bot_id"),)
    __topic__ = "bots"
    __topic_key__ = "bot_id"
    __masked__ = frozenset({"secret_hash", "previous_secret_hash"})

    telegram_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    bot_id: Mapped[int] = mapped_column(ForeignKey("bots.id", ondelete="CASCADE"))
    public_id: Mapped[str | None] = mapped_column(unique=True)
    """The opaque name in the webhook's path; none if older code has made it: then its bot's row has it."""
    secret_hash: Mapped[bytes | None]
    """SHA-256 of the webhook's secret: enough to check a request, useless to forge one."""
    secret_since: Mapped[datetime] = mapped_column(server_default=func.now())
    previous_secret_hash: Mapped[bytes | None]
    """Of the secret before it, which Telegram may still use."""
    previous_until: Mapped[datetime | None]
    leaving_since: Mapped[datetime | None]
    """When another Telegram bot took its place."""


class BotSecret(Watched, Base):
    """A secret of a bot, sealed for this row: its token, its webhook's secret, keys of services that it uses.

    Only the system role may read them; see `botyard.vault`.
    """

    __tablename__ = "bot_secrets"
    __table_args__ = (Index("ix_bot_secrets_key_id", "key_id"),)
    __topic__ = "bots"
    __topic_key__ = "bot_id"
    __masked__ = frozenset({"sealed"})

    bot_id: Mapped[int] = mapped_column(ForeignKey("bots.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    """``token:<telegram id>``, ``webhook:<telegram id>``, or ``service:<its name>``."""
    customer_id: Mapped[int]
    sealed: Mapped[bytes]
    key_id: Mapped[str]
    """Which key opens it."""
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())


class BotHealth(Base):
    """What became of a bot's last health check, and who else lives on its webhook."""

    __tablename__ = "bot_health"
    __table_args__ = (
        CheckConstraint("state IN ('unknown', 'ok', 'warning', 'trouble')", "state"),
        Index("ix_bot_health_next_check", "next_check"),
    )

    bot_id: Mapped[int] = mapped_column(ForeignKey("bots.id", ondelete="CASCADE"), primary_key=True)
    customer_id: Mapped[int]
    state: Mapped[str] = mapped_column(server_default="unknown")
    reason: Mapped[str | None]
    """One word for programs."""
    says: Mapped[str | None]
    """A sentence for people, with its remedy."""
    since: Mapped[datetime] = mapped_column(server_default=func.now())
    checked_at: Mapped[datetime | None]
    next_check: Mapped[datetime] = mapped_column(server_default=func.now())
    contacted_at: Mapped[datetime | None]
    """When Telegram last answered for its token."""
    proven_at: Mapped[datetime | None]
    """When a probe of our own last came back through its webhook's address."""
    pending: Mapped[int | None]
    """Updates that wait at Telegram."""
    webhook_host: Mapped[str | None]
    thief_host: Mapped[str | None]
    """Who else set its webhook last."""
    thefts: Mapped[int] = mapped_column(server_default="0")
    take_back_at: Mapped[datetime | None]
    """Not before then is the webhook taken back."""


class BotDay(Base):
    """What a bot did on one day (UTC)."""

    __tablename__ = "bot_days"

    bot_id: Mapped[int] = mapped_column(ForeignKey("bots.id", ondelete="CASCADE"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    customer_id: Mapped[int]
    updates: Mapped[int] = mapped_column(server_default="0")
    dead_updates: Mapped[int] = mapped_column(server_default="0")
    sent: Mapped[int] = mapped_column(server_default="0")
    unsent: Mapped[int] = mapped_column(server_default="0")
    """Sends that were given up: dead, expired, dropped."""
    uncertain: Mapped[int] = mapped_column(server_default="0")


class BotConfiguration(Created, Base):
    """One configuration that a bot has had; the newest one also stands in its row."""

    __tablename__ = "bot_configurations"

    bot_id: Mapped[int] = mapped_column(ForeignKey("bots.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int]
    configuration: Mapped[dict[str, Any]]
    actor: Mapped[str]
    note: Mapped[str | None]
