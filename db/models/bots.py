"""Customers and their bots."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, func
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, Created, CustomerOwned


class Customer(Created, Base):
    """Who owns bots."""

    __tablename__ = "customers"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Bot(CustomerOwned, Created, Base):
    """One bot: its logic's kind, its identity at Telegram, and how it is served."""

    __tablename__ = "bots"
    __table_args__ = (
        CheckConstraint("queue IN ('updates', 'slow')", "queue"),
        CheckConstraint("status IN ('active', 'inactive', 'error', 'paused', 'maintenance')", "status"),
        CheckConstraint("intake IN ('webhook', 'polling')", "intake"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    telegram_id: Mapped[int] = mapped_column(unique=True)
    public_id: Mapped[str] = mapped_column(unique=True)
    """The opaque name in the webhook's path."""
    kind: Mapped[str]
    """An entry point of the group ``botyard.bots``, or ``package.module:function``."""
    name: Mapped[str]
    username: Mapped[str]
    token_encrypted: Mapped[bytes]
    webhook_secret_encrypted: Mapped[bytes]
    webhook_secret_hash: Mapped[bytes]
    """SHA-256 of the secret: enough to check a request, useless to forge one."""
    api_url: Mapped[str]
    queue: Mapped[str] = mapped_column(server_default="slow")
    share: Mapped[int | None]
    status: Mapped[str] = mapped_column(server_default="active")
    status_reason: Mapped[str | None]
    status_since: Mapped[datetime] = mapped_column(server_default=func.now())
    intake: Mapped[str] = mapped_column(server_default="webhook")
    settings: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    config_version: Mapped[int] = mapped_column(server_default="1")


class BotIdentity(CustomerOwned, Created, Base):
    """A Telegram bot id that a bot has or had: a new token may be another Telegram bot's."""

    __tablename__ = "bot_identities"

    telegram_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    bot_id: Mapped[int] = mapped_column(ForeignKey("bots.id", ondelete="CASCADE"))
