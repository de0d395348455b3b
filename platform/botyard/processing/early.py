"""What handlers have sent while they are still running: shown in time, and not only when they end. See docs/bots.md."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

import orjson
import structlog

from botyard.bots.registry import ServedBot
from botyard.processing.rows import send_row
from botyard.processing.statements import OPEN_BEFORE, WRITE_EARLY
from botyard.telegram.run import UpdateRun
from db.engine import DATABASE_TROUBLE
from db.prepared import Statements

log = structlog.get_logger(__name__)

EARLY_SECONDS: Final = 0.3
"""A person who was told to wait a moment is told so after this time at most."""
IN_TURN_SECONDS: Final = 15.0
"""A call that goes at once waits no longer for what was sent before it: longer than a dead sender's lease lasts."""
_LOOK_SECONDS: Final = 0.03


class EarlySends:
    """Writes what one bot's handlers have sent when they take their time.

    Args:
        bot: whose updates.
        telegram_id: the identity through which they came.
        statements: of the database.
        wake: wakes the bot's sender.
    """

    def __init__(
        self, bot: ServedBot, telegram_id: int, statements: Statements, wake: Callable[[], Awaitable[None]]
    ) -> None:
        self._parameters = {
            "tenant": str(bot.customer_id),
            "customer": bot.customer_id,
            "bot": bot.id,
            "telegram_id": telegram_id,
            "repeat": "repeat" if bot.repeats else "leave",
        }
        self._statements = statements
        self._wake = wake

    def watch(self, run: UpdateRun, received_at: datetime) -> "Watched":
        """From now on, write what it sends, a moment after the first unwritten send."""
        return Watched(self, run, received_at)

    async def write(self, run: UpdateRun, received_at: datetime) -> None:
        """Write what is unwritten, and let it be sent; without the database it is left for the commit."""
        sends = [send for send in run.sends if not send.written]
        row = {"u": run.update_id, "at": received_at, "sends": [send_row(send) for send in sends]}
        try:
            wanted = {**self._parameters, "batch": orjson.dumps([row]).decode()}
            written = await self._statements.execute(wanted, WRITE_EARLY)
        except (TypeError, *DATABASE_TROUBLE) as error:
            log.warning("not_written_early", update_id=run.update_id, error=type(error).__name__)
            return
        numbers = {n for (n,) in written}
        for send in sends:
            # Another run may have sent something else under its number: the commit finds that out.
            send.written = send.n in numbers
        await self._wake()

    async def sent(self, update_id: int, chat: str) -> None:
        """Wait until nothing of an update is open for this chat, or until that takes too long."""
        loop = asyncio.get_running_loop()
        until = loop.time() + IN_TURN_SECONDS
        while loop.time() < until:
            wanted = {**self._parameters, "update": update_id, "chat": chat}
            try:
                ((open_rows,),) = await self._statements.execute(wanted, OPEN_BEFORE)
            except DATABASE_TROUBLE:
                break
            if not open_rows:
                return
            await asyncio.sleep(_LOOK_SECONDS)
        log.warning("call_out_of_turn", update_id=update_id, chat=chat)


class Watched:
    """One run that is watched; use as ``async with``, around its handlers."""

    def __init__(self, early: EarlySends, run: UpdateRun, received_at: datetime) -> None:
        self._early = early
        self._run = run
        self._received_at = received_at
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        self._run.on_send = self._noted
        self._run.in_turn = self._in_turn

    async def __aexit__(self, *_: object) -> None:
        self._run.on_send = self._run.in_turn = None
        if self._timer is not None:
            self._timer.cancel()
        if self._writing is not None:
            await asyncio.wait([self._writing])

    def _noted(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(EARLY_SECONDS, self._write)

    async def _in_turn(self, chat: str) -> None:
        sends = [send for send in self._run.sends if send.chat_key == chat]
        if not sends:
            return
        if self._writing is not None:
            await asyncio.wait([self._writing])
        if not all(send.written for send in sends):
            await self._early.write(self._run, self._received_at)
        await self._early.sent(self._run.update_id, chat)

    def _write(self) -> None:
        self._timer = None
        if self._writing is not None and not self._writing.done():
            # What comes while the database is busy goes with the next turn.
            self._noted()
        elif any(not send.written for send in self._run.sends):
            self._writing = asyncio.create_task(self._early.write(self._run, self._received_at))
