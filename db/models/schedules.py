"""Autonomous messages: what is sent to whom and when, and what became of each moment."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, BotOwned, Created


class Schedule(BotOwned, Created, Base):
    """Messages that a bot sends by itself."""

    __tablename__ = "schedules"
    __table_args__ = (Index("ix_schedules_bot_id", "bot_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    recurrence: Mapped[dict[str, Any]]
    """When: see `botyard.jobs.moments`."""
    zone: Mapped[str]
    """A time zone's name, or ``person``."""
    audience: Mapped[dict[str, Any]]
    """To whom: ``users``, or ``tag`` and ``language``; empty: everyone who can be reached."""
    content: Mapped[dict[str, Any]]
    """What: see `botyard.schedules.content`."""
    quiet: Mapped[dict[str, Any] | None]
    """``from`` and ``to``, by the clock of whoever it is for; what falls between waits for the end."""
    cap: Mapped[int | None]
    """So many messages of schedules may one person get from the bot in a day."""
    ends_at: Mapped[datetime | None]
    jitter: Mapped[int] = mapped_column(server_default="0")
    """Seconds over which the messages of a moment are spread."""
    grace: Mapped[int]
    """Seconds after which a moment is not worth a message any more."""
    enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    error: Mapped[str | None]
    """Why it cannot go on; a change of it, or resuming it, lets it try again."""
    version: Mapped[int] = mapped_column(server_default="1")


class ScheduleZone(BotOwned, Base):
    """The next moment of a schedule in a time zone: people of several zones have several."""

    __tablename__ = "schedule_zones"
    __table_args__ = (Index("ix_schedule_zones_due", "due", postgresql_where=text("due IS NOT NULL")),)

    bot_id: Mapped[int] = mapped_column(primary_key=True)
    schedule_id: Mapped[int] = mapped_column(primary_key=True)
    zone: Mapped[str] = mapped_column(primary_key=True)
    next_run: Mapped[datetime | None]
    """None: there is no further one."""
    due: Mapped[datetime | None]
    """When it is looked at next; none: not while the schedule is paused."""


class ScheduleRun(BotOwned, Base):
    """A moment that came: its messages are put into the outbox part by part."""

    __tablename__ = "schedule_runs"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'done', 'missed')", "state"),
        Index("uq_schedule_runs_slot", "bot_id", "schedule_id", "zone", "slot", unique=True),
        Index("ix_schedule_runs_open", "moment", postgresql_where=text("state = 'open'")),
        Index("ix_schedule_runs_moment", "moment"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    schedule_id: Mapped[int]
    zone: Mapped[str]
    slot: Mapped[str]
    """What tells the moment from all others of its schedule: the time that clocks show there."""
    moment: Mapped[datetime]
    since: Mapped[datetime | None]
    """Of silences: whoever was heard of last after this, and long enough before the moment."""
    state: Mapped[str]
    position: Mapped[int] = mapped_column(server_default="0")
    """The last person who was looked at."""
    planned: Mapped[int] = mapped_column(server_default="0")
    skipped: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    """How many were skipped, by the reason."""
    finished_at: Mapped[datetime | None]


class Occurrence(BotOwned, Base):
    """Somebody was written to for a moment: there is one of them, whoever plans however often."""

    __tablename__ = "occurrences"
    __table_args__ = (
        Index("ix_occurrences_recipient", "bot_id", "recipient", "day"),
        Index("ix_occurrences_run_id", "run_id"),
        Index("ix_occurrences_due", "due"),
    )

    bot_id: Mapped[int] = mapped_column(primary_key=True)
    schedule_id: Mapped[int] = mapped_column(primary_key=True)
    slot: Mapped[str] = mapped_column(primary_key=True)
    recipient: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int]
    day: Mapped[date]
    """The day of its message, by the recipient's clock."""
    due: Mapped[datetime]
    send_id: Mapped[int | None]
    """The row of the outbox; none: a command was run."""
