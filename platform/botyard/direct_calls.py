"""Calls that go to Telegram while a handler waits for the answer: within the same limits as the outbox, and once.

What they were answered is noted before the handler goes on. A handler that runs again, because its process died or its
memory was stale, is given the answers and calls nothing twice. See docs/bring-your-bot.md.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any, Final, TypeVar, cast

from telegram.error import BadRequest, RetryAfter

from botyard.bots.registry import ServedBot
from botyard.errors import TransientError
from botyard.journal import Calls
from botyard.limiter import Limiter
from botyard.media.attached import Attached
from botyard.media.known import KnownFiles
from botyard.telegram.outbox_bot import digest_of
from botyard.telegram.request import wait_of
from botyard.telegram.run import Lane, current_journal, current_run
from botyard.telegram.unsent_files import stand_in_of
from db.engine import DATABASE_TROUBLE

LONGEST_WAIT_SECONDS: Final = 30.0
"""A handler waits no longer for a permit; it is told then as Telegram would tell it."""
_UNNOTED: Final = frozenset({"sendChatAction", "logOut", "close"})
_T = TypeVar("_T")


class DirectCalls:
    """Paces one bot's calls, and closes what Telegram refuses.

    Args:
        limiter: shared by all processes.
        bot: whose calls.
        database: threads in which the database is asked.
    """

    def __init__(self, limiter: Limiter, bot: ServedBot, database: Executor) -> None:
        self._limiter = limiter
        self._bot = bot.id
        self._calls = Calls(bot.id, bot.customer_id)
        self._files = KnownFiles(bot.id, bot.customer_id)
        self._database = database

    async def make(self, method: str, params: dict[str, Any], call: Callable[[], Awaitable[_T]]) -> _T:
        """Make a call when it may be made; one that was made already in an earlier run is answered as it was then.

        Raises:
            RetryAfter: Telegram refused it (429), or it would have to wait longer than a handler may.
            BadRequest: it names a file that is not uploaded yet.
        """
        await self._name_files(params)
        journal = current_journal()
        if journal is None or method in _UNNOTED or method.startswith("get"):
            return await self._paced(method, params, call)
        noted = journal.call(digest_of(method, params))
        if noted.known:
            return cast("_T", noted.answer)
        answer = await self._paced(method, params, call)
        await self._asked(self._calls.note, noted, method, answer)
        return answer

    async def _asked(self, ask: Callable[..., _T], *args: Any) -> _T:
        """Ask the database, once more on a fresh connection if the one at hand is broken.

        Raises:
            TransientError: it cannot be asked now.
        """
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._database, ask, *args)
        except DATABASE_TROUBLE:
            try:
                return await loop.run_in_executor(self._database, ask, *args)
            except DATABASE_TROUBLE as error:
                raise TransientError(f"the journal: {type(error).__name__}") from error

    async def _name_files(self, params: dict[str, Any]) -> None:
        """A file that was noted is known to Telegram by its id, if it was uploaded since."""
        for key, value in params.items():
            found = stand_in_of(value)
            if found is None:
                continue
            file = Attached("x", found.told["sha256"], "", "", 0, found.kind, "", 0)
            ids = await self._asked(self._files.find, [file])
            if not ids:
                raise BadRequest(
                    "the file is not uploaded yet, because its message waits for the commit of its update: send it "
                    "within `async with botyard.for_bots.direct(context)`, or `botyard bot set --sends direct`"
                )
            params[key] = ids["x"]

    async def known(self, scope: str) -> dict[int, tuple[str, Any]]:
        """What was noted of a scope's earlier runs: see `botyard.journal`."""
        return await self._asked(self._calls.known, scope)

    async def _paced(self, method: str, params: Mapping[str, Any], call: Callable[[], Awaitable[_T]]) -> _T:
        chat = params.get("chat_id")
        if chat is None or method.startswith("get"):
            return await call()
        run = current_run.get(None)
        if run is not None and run.in_turn is not None and method != "sendChatAction":
            await run.in_turn(str(chat))
        await self._wait(method, str(chat), len(params.get("message_ids") or (1,)))
        try:
            return await call()
        except RetryAfter as error:
            await self._limiter.close(self._bot, str(chat), wait_of(error))
            raise

    async def _wait(self, method: str, chat: str, messages: int) -> None:
        one = self._limiter.permission(method, chat, Lane.REPLY)
        wanted = [replace(one, weight=one.weight * messages)]
        until = asyncio.get_running_loop().time() + LONGEST_WAIT_SECONDS
        while True:
            (permit,) = await self._limiter.reserve(self._bot, wanted)
            if permit.granted:
                return await self._limiter.come(self._bot, permit)
            if asyncio.get_running_loop().time() + permit.wait > until:
                raise RetryAfter(int(permit.wait) + 1)
            await asyncio.sleep(permit.wait)
