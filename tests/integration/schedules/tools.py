"""A bot with people, and schedules for them whose moments can be moved."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from botyard.accounts.access import tenant_session
from botyard.messages.wanted import Wanted
from botyard.schedules import storing
from botyard.schedules.content import Content, Texts, content_of
from botyard.schedules.planning import AutonomousManager
from botyard.schedules.plans import Plan
from db.engine import get_engine, get_sessions
from db.models import Bot
from tests.factories import make_bot

DAILY = {"type": "cron", "expression": "0 9 * * *"}


def every(seconds: int) -> dict[str, Any]:
    """Since two hours ago, with the minute."""
    start = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=2)
    return {"type": "every", "seconds": seconds, "start": start.isoformat()}


def hello(text_: str = "Hello {{first_name|you}}", **texts: str) -> Content:
    return content_of(Texts({"en": text_, **texts}, "en"), Wanted("1"))


def execute(statement: str, **values: Any) -> None:
    with get_engine("system").begin() as connection:
        connection.execute(text(statement), values)


def rows(statement: str, **values: Any) -> list[tuple[Any, ...]]:
    with get_engine("system").begin() as connection:
        return [tuple(row) for row in connection.execute(text(statement), values)]


class Planned:
    """A bot, and what is planned for its people.

    Args:
        telegram_id: of the bot.
        kind: its kind.
    """

    def __init__(self, telegram_id: int = 4_200_000_001, kind: str = "demo") -> None:
        made = make_bot(telegram_id=telegram_id, kind=kind)
        with get_sessions("system")() as session:
            self.bot = session.get_one(Bot, made.id)
            session.expunge(self.bot)

    def people(self, *numbers: int, zone: str | None = None, **columns: Any) -> None:
        """Let these write to the bot."""
        values = {"tags": [], "language": None, "seen": datetime.now(UTC), **columns}
        values["attributes"] = "{}" if zone is None else f'{{"time_zone": "{zone}"}}'
        for number in numbers:
            execute(
                """INSERT INTO bot_users (bot_id, user_id, customer_id, first_name, tags, language, attributes,
                                          last_seen)
                   VALUES (:bot, :user, 1, 'P' || :name, :tags, :language, CAST(:attributes AS jsonb), :seen)""",
                bot=self.bot.id, user=number, name=str(number), **values,
            )  # fmt: skip

    def block(self, number: int) -> None:
        """Somebody cannot be reached."""
        execute(
            "INSERT INTO chats (bot_id, customer_id, chat_key, unreachable_since) VALUES (:bot, 1, :chat, now())",
            bot=self.bot.id, chat=str(number),
        )  # fmt: skip

    def schedule(self, recurrence: dict[str, Any] = DAILY, content: Content | None = None, **more: Any) -> int:
        """Make one; its number."""
        plan = Plan("a schedule", recurrence, content or hello(), **more)
        with tenant_session(1) as session:
            return storing.make(session, self.bot, plan).id

    def come(self, schedule: int, ago: timedelta = timedelta(), zone: str | None = None) -> None:
        """Let the next moment of a schedule be now, or so long ago."""
        execute(
            """UPDATE schedule_zones SET next_run = date_trunc('minute', now()) - CAST(:ago AS interval),
                      due = date_trunc('minute', now()) - CAST(:ago AS interval)
                WHERE schedule_id = :schedule AND zone = coalesce(:zone, zone)""",
            schedule=schedule, ago=ago, zone=zone,
        )  # fmt: skip

    def sends(self) -> list[tuple[str, str]]:
        """Chats and texts of what is to be sent, in order."""
        return [
            (chat, words)
            for chat, words in rows(
                "SELECT chat_key, params->>'text' FROM outbox WHERE bot_id = :bot ORDER BY id", bot=self.bot.id
            )
        ]


def work(manager: AutonomousManager | None = None) -> None:
    """Plan what is due, and put all of it out."""
    manager = manager or AutonomousManager()
    manager.plan()
    while manager.work(5)[1]:
        pass


def state_of(schedule: int) -> list[tuple[Any, ...]]:
    """Its runs: their state, how many messages were planned, and who was skipped."""
    found: Iterable[tuple[Any, ...]] = rows(
        "SELECT state, planned, skipped FROM schedule_runs WHERE schedule_id = :id ORDER BY moment, id", id=schedule
    )
    return list(found)
