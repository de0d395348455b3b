"""Which updates a bot's code wants, found without waiting for code that hangs. Loads the bot's code."""

import asyncio
import math
import threading
import time
from collections.abc import Callable
from typing import Final
from weakref import WeakKeyDictionary

from botyard.bots.connection.webhooks import Connection
from botyard.bots.kinds import wanted_updates
from botyard.errors import InputError
from botyard.telegram.scripts import SourceVersions

_SECONDS: Final = 20.0
_SIDE_BY_SIDE: Final = 4
"""Those that are built at the same time slow each other down: more of them would only seem to hang."""
_BROKEN_SECONDS: Final = 900.0
"""So long it is believed that a kind cannot be used: what it lacks may come without a change of its code."""
_MOST: Final = 20_000

_Key = tuple[int, int, str, str]
_wanted: dict[_Key, list[str]] = {}
"""By row, version, kind and code."""
_broken: dict[_Key, float] = {}
"""Those that could not be used, and when that was found out."""
_hanging: dict[tuple[str, str], threading.Thread] = {}
"""Kinds, each with its code, that did not come to an end: each costs one thread, and no second one while it runs."""
_sources = SourceVersions()
_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


async def wanted_of(bot: Connection) -> list[str]:
    """The ``allowed_updates`` of a bot, of its code as it is now.

    Raises:
        InputError: its kind cannot be used, or does not come to an end.
    """
    code = await asyncio.to_thread(_sources.of, bot.kind)
    if (bot.kind, code) in _hanging and _hanging[bot.kind, code].is_alive():
        raise _hangs()
    turn = _turns.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(_SIDE_BY_SIDE))
    async with turn:
        built, thread = _apart(lambda: wanted_updates(bot.kind, bot.id))
        try:
            async with asyncio.timeout(_SECONDS):
                return await built
        except TimeoutError:
            _hanging[bot.kind, code] = thread
            raise _hangs() from None


async def known_wanted_of(bot: Connection) -> list[str] | None:
    """The same, looked at once for each version of the bot and of its code; none: its kind cannot be used here."""
    key = (bot.id, bot.config_version, bot.kind, await asyncio.to_thread(_sources.of, bot.kind))
    if key in _wanted:
        return _wanted[key]
    if time.monotonic() - _broken.get(key, -math.inf) < _BROKEN_SECONDS:
        return None
    for kept in (_wanted, _broken):
        if len(kept) >= _MOST:
            kept.clear()
    try:
        found = _wanted[key] = await wanted_of(bot)
    except InputError:
        _broken[key] = time.monotonic()
        return None
    return found


def _hangs() -> InputError:
    problem = f"is not built within {_SECONDS:.0f} seconds."
    return InputError("kind", problem, "Let it wait for nothing while it is built; then start the workers again.")


def _apart(work: Callable[[], list[str]]) -> tuple[asyncio.Future[list[str]], threading.Thread]:
    """In a thread of its own: one that hangs takes no other's place, and does not keep its process from its end."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[list[str]] = loop.create_future()

    def tell(found: list[str] | None, error: Exception | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(found or [])

    def run() -> None:
        found, failed = None, None
        try:
            found = work()
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to whoever waits
            failed = error
        try:
            loop.call_soon_threadsafe(tell, found, failed)
        except RuntimeError:
            # It came to an end after all, and nobody waits any more.
            return

    thread = threading.Thread(target=run, name="kind", daemon=True)
    thread.start()
    return done, thread
