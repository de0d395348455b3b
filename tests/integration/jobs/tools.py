"""Bots with jobs on a rig: two workers, and a clock whose time the test says."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg2
import pytest

from botyard.jobs.firing import fire_due
from botyard.mailbox.protocol import mailbox_entry
from db.engine import one_statement
from tests.factories import CHAT, make_bot, message
from tests.integration.jobs.kinds import ORDERS
from tests.integration.rig import Rig

KINDS = "tests.integration.jobs.kinds:"


def rows(yard: Rig, query: str) -> list[tuple[Any, ...]]:
    return yard.services.superuser(query)


def jobs(yard: Rig, columns: str = "name") -> list[Any]:
    found = rows(yard, f"SELECT {columns} FROM jobs ORDER BY created_at, id")  # noqa: S608
    return [row[0] if len(row) == 1 else row for row in found]


def sends(yard: Rig) -> list[str]:
    return [text for (text,) in rows(yard, "SELECT params->>'text' FROM outbox ORDER BY id")]


def come(yard: Rig, name: str = "%", seconds: float = 1) -> None:
    """Let the next moment of these jobs be some seconds ago."""
    yard.services.superuser(
        f"UPDATE jobs SET next_run = now() - interval '{seconds} s', due = now() - interval '{seconds} s'"  # noqa: S608
        f" WHERE name LIKE '{name}' AND enabled AND firing_id IS NULL AND next_run IS NOT NULL"
    )


def sweep(yard: Rig) -> int:
    """What a clock does with jobs."""

    def put(telegram_id: int, chat: str, number: int, content: bytes) -> None:
        yard.tickets.send_soon(yard.keeper.accept(telegram_id, chat, number, mailbox_entry(content)).ticket)

    return fire_due(put)


async def fire(yard: Rig, name: str = "%", seconds: float = 1) -> None:
    """Let the moment of these jobs come, and work until they have run."""
    come(yard, name, seconds)
    assert sweep(yard) > 0
    await yard.settle(sending=False)


def now() -> datetime:
    return datetime.now(UTC)


def away_once(monkeypatch: pytest.MonkeyPatch, module: str) -> list[psycopg2.Error]:
    """Let the database be away when this module asks it the next time; empty: it was."""
    away: list[psycopg2.Error] = [psycopg2.OperationalError("gone")]

    @contextmanager
    def once_away() -> Iterator[Any]:
        if away:
            raise away.pop()
        with one_statement() as cursor:
            yield cursor

    monkeypatch.setattr(f"{module}.one_statement", once_away)
    return away


class Bot:
    """A bot that does what it is told, each time with a worker that knows nothing of what was before."""

    def __init__(self, yard: Rig, kind: str = "obeying") -> None:
        self.yard = yard
        self.bot = make_bot(kind=KINDS + kind)
        self.updates = 0

    async def does(self, order: Any, chat_id: int = CHAT) -> None:
        """Let a handler call ``order(job_queue, chat_id, context)``, and answer with what it returns."""
        self.updates += 1
        ORDERS[f"order {self.updates}"] = order
        self.yard.host._applications.clear()
        await self.yard.give(self.bot, message(self.updates, f"order {self.updates}", chat_id))
        await self.yard.settle(sending=False)

    async def is_told(self, order: Any) -> Any:
        before = len(sends(self.yard))
        await self.does(order)
        (said,) = sends(self.yard)[before:]
        return said
