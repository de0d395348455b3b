"""What is to be sent, and what became of it."""

from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, Index, SmallInteger, func, text
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, BotOwned, Created

OPEN_STATES = "('queued', 'retry', 'sending')"


class OutboxRow(BotOwned, Created, Base):
    """One call of the Bot API that changes something, from the commit of its cause to its outcome."""

    __tablename__ = "outbox"
    __table_args__ = (
        CheckConstraint(
            "state IN ('queued', 'retry', 'sending', 'sent', 'dead', 'uncertain', 'expired', 'dropped')", "state"
        ),
        CheckConstraint("repeat_policy IN ('repeat', 'leave')", "repeat_policy"),
        # One order per (chat, lane): what comes before a row, and what after it.
        Index("ix_outbox_open", "bot_id", "chat_key", "lane", "id", postgresql_where=text(f"state IN {OPEN_STATES}")),
        # What can be sent next, and nothing of what waits behind it.
        Index("ix_outbox_due", "bot_id", "lane", "due", "id", postgresql_where=text("state IN ('queued', 'retry')")),
        Index(
            "ix_outbox_put_off", "after_id", postgresql_where=text("after_id IS NOT NULL AND due = 'infinity'")
        ),
        # Everything of one bot, the latest first: for whoever looks at a bot, or removes it.
        Index("ix_outbox_bot", "bot_id", "id"),
        # Of a chat what was never sent, for its history: seldom, so it costs those that are sent nothing.
        Index(
            "ix_outbox_unsent", "bot_id", "chat_key", "id",
            postgresql_where=text("state IN ('dead', 'uncertain', 'expired', 'dropped')"),
        ),
        # For who looks at all bots. What asks for the rows of one does not say that they are due one day, and so never
        # gets this one, however small it seems.
        Index(
            "ix_outbox_waiting_due", "due", postgresql_where=text("state IN ('queued', 'retry') AND due < 'infinity'")
        ),
        # For who takes a bot's outbox over: few, however much waits there.
        Index("ix_outbox_sending", "bot_id", "started_at", postgresql_where=text("state = 'sending'")),
        Index(
            "uq_outbox_update", "telegram_id", "update_id", "n", unique=True,
            postgresql_where=text("update_id IS NOT NULL"),
        ),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    chat_key: Mapped[str]
    telegram_id: Mapped[int | None]
    """The Telegram bot whose update caused the row; update ids mean something only together with it."""
    update_id: Mapped[int | None]
    n: Mapped[int | None]
    """Which message of its update this is, from 1; of an album the first one."""
    lane: Mapped[int] = mapped_column(SmallInteger)
    """0 urgent, 1 reply, 2 scheduled, 3 bulk."""
    after_id: Mapped[int | None]
    """The row whose message this one edits, deletes or answers."""
    method: Mapped[str]
    params: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(server_default="queued")
    attempt: Mapped[int] = mapped_column(server_default="0")
    """How often it was claimed; the number fences the record of an attempt."""
    failures: Mapped[int] = mapped_column(server_default="0")
    uncertain_count: Mapped[int] = mapped_column(server_default="0")
    repeat_policy: Mapped[str] = mapped_column(server_default="repeat")
    owner: Mapped[str | None]
    started_at: Mapped[datetime | None]
    due: Mapped[datetime] = mapped_column(server_default=func.now())
    """When it may be claimed; infinity while it waits for another row, once that was noticed."""
    caused_at: Mapped[datetime | None]
    """When the update that caused it arrived."""
    deadline: Mapped[datetime | None]
    """The last moment at which it is still worth sending."""
    waits: Mapped[dict[str, Any] | None]
    """For what it has waited, and for how many seconds: ``permit``, ``flood`` (429) or ``trouble``."""
    message_id: Mapped[int | None]
    message_ids: Mapped[list[int] | None] = mapped_column(ARRAY(BigInteger))
    """Of an album: its messages' ids, beside the first one above. Their numbers are ``n``, ``n`` + 1 and so on."""
    error: Mapped[str | None]
    resolved_at: Mapped[datetime | None]
