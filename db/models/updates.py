"""What came in: resolved updates, conversations, message history, dead letters."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, func
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, BotOwned, Created


class InboxRow(BotOwned, Base):
    """An update that was resolved. Its key makes sure that an update takes effect once."""

    __tablename__ = "inbox"
    __table_args__ = (
        CheckConstraint("state IN ('done', 'dead')", "state"),
        Index("ix_inbox_resolved_at", "resolved_at"),
    )

    telegram_id: Mapped[int] = mapped_column(primary_key=True)
    update_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    chat_key: Mapped[str]
    kind: Mapped[str]
    body: Mapped[Any] = mapped_column(JSON)
    """As it arrived; ``json`` and not ``jsonb``, which refuses an escaped NUL."""
    state: Mapped[str]
    received_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    """When its handlers were started for the last time."""
    attempt: Mapped[int | None]
    """How often they were started."""
    resolved_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Conversation(BotOwned, Base):
    """What a bot remembers of a chat, of a person across chats, or for itself.

    Every writer compares ``version`` with the one it loaded: that, and not the lease, keeps two writers apart.
    """

    __tablename__ = "conversations"
    __table_args__ = (CheckConstraint("scope IN ('chat', 'user', 'bot')", "scope"),)

    bot_id: Mapped[int] = mapped_column(primary_key=True)
    scope: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[Any] = mapped_column(JSON)
    """As it was written, for dictionaries have an order; see `botyard.state.codec`."""
    version: Mapped[int]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Message(BotOwned, Base):
    """One message of a chat's history, as it was received or delivered."""

    __tablename__ = "messages"
    __table_args__ = (
        CheckConstraint("direction IN ('in', 'out')", "direction"),
        Index("ix_messages_chat", "bot_id", "chat_key", "id"),
        # A bot's chats, those with the latest message first.
        Index("ix_messages_bot", "bot_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    chat_key: Mapped[str]
    direction: Mapped[str]
    kind: Mapped[str]
    message_id: Mapped[int | None]
    update_id: Mapped[int | None]
    outbox_id: Mapped[int | None]
    text: Mapped[str | None]
    at: Mapped[datetime] = mapped_column(server_default=func.now())


class DeadLetter(BotOwned, Created, Base):
    """An update or a send that was given up, with everything needed to understand and replay it."""

    __tablename__ = "dead_letters"
    __table_args__ = (
        CheckConstraint("what IN ('update', 'send')", "what"),
        Index("ix_dead_letters_bot", "bot_id", "id"),
        Index("ix_dead_letters_fingerprint", "bot_id", "fingerprint", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    what: Mapped[str]
    telegram_id: Mapped[int | None]
    update_id: Mapped[int | None]
    outbox_id: Mapped[int | None]
    chat_key: Mapped[str]
    reason: Mapped[str]
    detail: Mapped[str]
    """The traceback of a handler, or the Bot API's answer."""
    request: Mapped[Any] = mapped_column(JSON)
    attempts: Mapped[int]
    fingerprint: Mapped[str | None]
    """The same for letters of one cause: the kind of error and the place in the bot's code, or the answer's words."""
    replay_id: Mapped[int | None]
    """What takes its place: the id of an update (negative, so none of Telegram's) or of an outbox row."""
    replayed_at: Mapped[datetime | None]
