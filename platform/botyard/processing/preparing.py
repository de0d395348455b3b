"""The run of an update: with the bot's memory, and what earlier runs of it have left. See docs/processing.md."""

import asyncio
from concurrent.futures import Executor
from typing import Any

import orjson
from telegram import Update

from botyard.bots.registry import ServedBot
from botyard.journal import Calls, of_update
from botyard.mailbox.protocol import Held
from botyard.processing.batcher import Batcher
from botyard.processing.rows import memories
from botyard.processing.store import Loaded, Wanted, written_early
from botyard.sent_messages import real_ids
from botyard.state.codec import provisional_ids_in
from botyard.telegram.application import YardApplication
from botyard.telegram.firing import Firing
from botyard.telegram.run import UpdateRun
from db.prepared import Statements

Occasion = Update | Firing
"""What handlers run for."""


class Preparer:
    """Makes the runs of one bot's updates.

    Args:
        bot: whose updates.
        telegram_id: the identity through which they came.
        application: its handlers.
        loads: batches of loads.
        statements: of the database.
        database: threads in which it is asked for what is seldom wanted.
        max_attempts: starts after which an update is given up.
    """

    def __init__(
        self,
        bot: ServedBot,
        telegram_id: int,
        application: YardApplication,
        loads: Batcher[Wanted, Loaded],
        statements: Statements,
        database: Executor,
        max_attempts: int,
    ) -> None:
        self._bot = bot
        self._telegram_id = telegram_id
        self._codec = application.codec
        self._loads = loads
        self._statements = statements
        self._database = database
        self._max_attempts = max_attempts
        self._calls = Calls(bot.id, bot.customer_id)

    async def prepare(self, held: Held, update: Occasion, *, again: bool) -> tuple[UpdateRun, Loaded]:
        """The run, and what the database knows of its update; the run of a resolved one is of no use.

        Args:
            held: what its mailbox says of it.
            update: what its handlers will be given.
            again: this process has run it before.
        """
        chat_id, user_id = whose(update)
        run = UpdateRun(held.update_id, held.chat, chat_id, user_id, held.attempt >= self._max_attempts)
        run.retries, run.directly = self._bot.retries, self._bot.sends_directly
        loaded = await self._load(run, fires=isinstance(update, Firing))
        if loaded.moved_to is not None and not loaded.resolved:
            # What waited in the mailbox of a group that became a supergroup.
            run.chat_key = loaded.moved_to
            loaded = await self._load(run, fires=isinstance(update, Firing))
        if not loaded.resolved:
            await self._remember(run, loaded)
            run.journal = of_update(self._telegram_id, held.update_id)
            if again or loaded.begun:
                await self._look_back(run)
        return run, loaded

    async def _load(self, run: UpdateRun, *, fires: bool) -> Loaded:
        return await self._loads.submit(Wanted(run.update_id, tuple(key for key, _ in memories(run)), fires))

    async def _remember(self, run: UpdateRun, loaded: Loaded) -> None:
        stored: dict[str, Any] = {scope: orjson.loads(state) for (scope, _), (state, _) in loaded.states.items()}
        parts = [*stored.values(), *([loaded.job.data] if loaded.job is not None else [])]
        marks = set().union(*map(provisional_ids_in, parts)) if parts else set()
        real: dict[int, int] = {}
        if marks:
            found = await asyncio.get_running_loop().run_in_executor(
                self._database, real_ids, self._bot.customer_id, self._telegram_id, marks
            )
            real = {number: message_id for number, message_id in found.items() if message_id is not None}
            run.real_ids, run.unsent = real, frozenset(marks - real.keys())
        for scope, state in stored.items():
            setattr(run, scope, self._codec.load(state, real))

    async def _look_back(self, run: UpdateRun) -> None:
        """An earlier run may have ended in the middle: what it called and wrote is not to be done twice."""
        assert run.journal is not None  # noqa: S101 - it was given one a moment ago
        loop = asyncio.get_running_loop()
        run.journal.known = await loop.run_in_executor(self._database, self._calls.known, run.journal.scope)
        run.earlier = await written_early(self._statements, self._bot.customer_id, self._telegram_id, run.update_id)


def whose(update: Occasion) -> tuple[int | None, int | None]:
    """The chat and the person whose memory belongs to it."""
    if isinstance(update, Firing):
        return update.chat_id, update.user_id
    chat, user = update.effective_chat, update.effective_user
    return chat.id if chat else None, user.id if user else None
