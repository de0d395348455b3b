"""The statements of updates and sends, for tests without an event loop of their own."""

import asyncio
from collections.abc import Coroutine, Sequence
from functools import cache
from typing import Any, TypeVar

from botyard.bots.registry import ServedBot
from botyard.delivery.outbox import Outbox, Result, Row
from botyard.processing import store
from botyard.processing.store import Decided, Loaded, Resolution, Wanted
from botyard.settings import get_settings
from db.prepared import Statements
from tasks.loops import LoopThread

T = TypeVar("T")


@cache
def loop() -> asyncio.AbstractEventLoop:
    return LoopThread().loop


@cache
def _statements_of(_: str) -> Statements:
    return Statements(loop(), 8)


def statements() -> Statements:
    """Those of the database that the settings name; any loop may ask."""
    return _statements_of(get_settings().require("database_url"))


def asked(question: Coroutine[Any, Any, T]) -> T:
    """The answer; the caller's thread waits for it."""
    return asyncio.run_coroutine_threadsafe(question, loop()).result(30)


def load(bot: ServedBot, telegram_id: int, wanted: Sequence[Wanted]) -> list[Loaded]:
    return asked(store.load(statements(), bot, telegram_id, wanted))


def commit(bot: ServedBot, telegram_id: int, batch: Sequence[Resolution]) -> list[Decided]:
    return asked(store.commit(statements(), bot, telegram_id, batch))


class AskedOutbox:
    """An outbox whose answers are waited for."""

    def __init__(self, bot: ServedBot, owner: str) -> None:
        self.outbox = Outbox(statements(), bot.id, bot.customer_id, owner)

    def adopt(self) -> int | None:
        """What is taken over, and nothing claimed."""
        self.record_and_claim([], 0)
        return self.outbox.adopted

    def record_and_claim(self, results: Sequence[Result], limit: int, **paced: int) -> list[Row]:
        return asked(self.outbox.record_and_claim(results, limit, **paced))

    def next_due(self, *, paced: bool = True) -> float | None:
        return asked(self.outbox.next_due(paced=paced))
