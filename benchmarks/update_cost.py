"""``python -m benchmarks.update_cost``: an update's cost here, and in plain python-telegram-bot that keeps its data.

The same handler answers and counts for its person. Beside plain python-telegram-bot stands a persistence as a careful
author writes one: it upserts what was changed in one commit per update, to the same PostgreSQL. Here the update is
read, its memory loaded, the handler run, and inbox, memory, outbox, history and event are committed; mailboxes and the
sending are not part of either. Writes ``docs/figures/update_cost.json``.
"""

import asyncio
import json
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg2
from redis import Redis
from telegram import Update
from telegram.ext import Application, DictPersistence, ExtBot, MessageHandler, PersistenceInput, filters

from benchmarks.fairness import FIGURES
from botyard.bots.registry import ServedBot
from botyard.hosting import Host
from botyard.manager import BotManager
from botyard.processing import store
from botyard.processing.batcher import Batcher
from botyard.processing.early import EarlySends
from botyard.processing.preparing import Preparer
from botyard.processing.resolving import Resolver
from botyard.settings import get_settings
from botyard.sync import get_sync
from db.prepared import Statements
from tests.factories import TOKEN, held, make_bot, message
from tests.services import Services, start

UPDATES = 2000
ROUNDS = 5
SIDE_BY_SIDE = 32
BOUND = 1.5


async def handler(update: Any, context: Any) -> None:
    """What most handlers do."""
    context.user_data["n"] = context.user_data.get("n", 0) + 1
    await update.message.reply_text(f"number {context.user_data['n']}")


def kind(application: Any) -> None:
    """The bot."""
    application.add_handler(MessageHandler(filters.ALL, handler))


class Upserting(DictPersistence):
    """Writes what an update changed, in one commit."""

    def __init__(self, url: str) -> None:
        super().__init__(PersistenceInput(bot_data=False, chat_data=False, callback_data=False), update_interval=1e9)
        self._database = psycopg2.connect(url)
        self._database.cursor().execute("CREATE TABLE plain (id bigint PRIMARY KEY, data jsonb NOT NULL)")
        self._database.commit()

    async def update_user_data(self, user_id: int, data: Any) -> None:
        """Write one person's data."""
        with self._database, self._database.cursor() as cursor:
            cursor.execute(
                "INSERT INTO plain VALUES (%s, %s) ON CONFLICT (id) DO UPDATE SET data = excluded.data",
                (user_id, json.dumps(data)),
            )


class Answering(ExtBot[Any]):
    """Sends nothing."""

    async def _do_post(self, endpoint: str, data: Any, **_: Any) -> Any:
        if endpoint == "getMe":
            return {"id": 1, "is_bot": True, "first_name": "b", "username": "b_bot"}
        return {"message_id": 1, "date": 1, "chat": {"id": data["chat_id"], "type": "private"}, "text": data["text"]}


def updates(first: int) -> list[dict[str, Any]]:
    """Messages of many people."""
    return [message(first + n, "hello", chat_id=1000 + n % 200) for n in range(UPDATES)]


async def plain(application: Any, bodies: list[str]) -> float:
    """Seconds per update of plain python-telegram-bot."""
    began = time.perf_counter()
    for body in bodies:
        await application.process_update(Update.de_json(json.loads(body), application.bot))
        await application.update_persistence()
    return (time.perf_counter() - began) / len(bodies)


async def ours(resolver: Resolver, given: list[Any], at_once: int) -> float:
    """Seconds per update here, so many chats side by side."""
    waiting = iter(given)

    async def chat() -> None:
        for one in waiting:
            await resolver.resolve(one, lambda: None)

    began = time.perf_counter()
    await asyncio.gather(*(chat() for _ in range(at_once)))
    return (time.perf_counter() - began) / len(given)


async def _resolver(bot: ServedBot, host: Host, telegram_id: int) -> Resolver:
    settings = get_settings()
    application = await host.application(bot)
    loads: Batcher[Any, Any] = Batcher(
        lambda wanted: store.load(host.statements, bot, telegram_id, wanted), settings.slice_chats
    )
    commits: Batcher[Any, Any] = Batcher(
        lambda batch: store.commit(host.statements, bot, telegram_id, batch), settings.slice_chats
    )

    async def wake() -> None:
        """Nothing is sent."""

    preparer = Preparer(bot, telegram_id, application, loads, host.statements, host.database, settings.max_attempts)
    early = EarlySends(bot, telegram_id, host.statements, wake)

    async def follow(_: str, __: str) -> None:
        """No group moves."""

    return Resolver(bot, application, preparer, early, commits, settings, lambda _: None, follow)


async def measure(services: Services) -> dict[str, float]:
    """Medians of rounds that take turns, in microseconds per update."""
    built = Application.builder().bot(Answering(TOKEN)).updater(None).persistence(Upserting(services.postgres_url))
    application = built.build()
    kind(application)
    await application.initialize()
    bot = make_bot(kind="benchmarks.update_cost:kind")
    found: dict[str, list[float]] = {"plain": [], "one": [], "many": []}
    with ThreadPoolExecutor(4) as database:
        manager = BotManager(get_sync(), Redis.from_url(services.redis_url))
        host = Host(get_settings(), Statements(asyncio.get_running_loop(), 4), database, manager)
        resolver = await _resolver(bot, host, bot.telegram_id)
        for turn in range(ROUNDS + 1):
            some = updates(1 + turn * 10 * UPDATES)
            found["plain"].append(await plain(application, [json.dumps(one) for one in some]))
            for name, at_once, first in (("one", 1, 3), ("many", SIDE_BY_SIDE, 6)):
                given = [held(one, str(one["message"]["chat"]["id"])) for one in updates((first + turn * 10) * UPDATES)]
                found[name].append(await ours(resolver, given, at_once))
        await host.close()
    return {name: statistics.median(seconds[1:]) * 1e6 for name, seconds in found.items()}


def main() -> int:
    """Measure, print, write; 1 when the bound does not hold."""
    with start() as services:
        figures = asyncio.run(measure(services))
    figures |= {"ratio_one": figures["one"] / figures["plain"], "ratio_many": figures["many"] / figures["plain"]}
    print(f"plain, one after the other: {figures['plain']:.0f} us per update")
    print(f"here, one after the other: {figures['one']:.0f} us, {figures['ratio_one']:.2f} times")
    print(f"here, {SIDE_BY_SIDE} chats side by side: {figures['many']:.0f} us, {figures['ratio_many']:.2f} times")
    FIGURES.mkdir(parents=True, exist_ok=True)
    (FIGURES / "update_cost.json").write_text(json.dumps(figures, indent=2) + "\n")
    return int(figures["ratio_many"] > BOUND)


if __name__ == "__main__":
    sys.exit(main())
