"""Adding many bots, one after the other, as fast as the Bot API takes new ones.

Opens tokens: not for the web process.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from botyard.accounts.batches import BotLine, line_of, sealed_token
from botyard.bots.connection.adding import NEW_KIND, AlreadyHere, NewBot, Registered, register_bot
from botyard.bots.connection.asking import Unreachable
from botyard.bots.connection.connecting import connect_bot
from botyard.bots.kinds import wanted_updates
from botyard.errors import InputError
from botyard.operations import Work
from botyard.operations.beginning import PRIVATE
from botyard.settings import Settings, get_settings
from botyard.telegram.loading import lasting_name
from botyard.telegram.request import AiohttpRequest
from botyard.vault.opening import open_sealed

_MOST_TRIES: Final = 3
_REST_SECONDS: Final = 5.0
_STEP_SECONDS: Final = 0.5

Pause = Callable[[float], Awaitable[None]]
"""Waits so many seconds."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one bot.

    Args:
        result: it was ``added``, was ``here`` already, or ``failed``.
        bot_id: its row; none if it failed, or is another customer's.
        says: what is to be said of it, with the remedy.
    """

    result: Literal["added", "here", "failed"]
    bot_id: int | None
    says: str


async def add_line(
    line: BotLine, customer_id: int | None, request: AiohttpRequest, settings: Settings, pause: Pause
) -> Outcome:
    """Add one bot, and wait for a permit to ask about it as long as it takes. Nothing of it is raised.

    Args:
        line: the bot.
        customer_id: who is to own it; none: the installation's operator asks.
        request: calls the Bot API.
        settings: of this process.
        pause: waits; what it raises ends this.
    """
    tries = 0
    while True:
        try:
            registered = await _register(line, customer_id, request, settings)
        except AlreadyHere as error:
            return Outcome("here", error.bot_id, "It is here already: it stays as it is.")
        except InputError as error:
            return Outcome("failed", None, f"{error.field} {error.problem} {error.remedy}".strip())
        except Unreachable as error:
            tries += error.retry_after is None
            if tries == _MOST_TRIES:
                return Outcome("failed", None, str(error))
            await pause(error.retry_after or _REST_SECONDS)
        else:
            return await _connect(registered, request, settings)


def add_bots(work: Work) -> dict[str, Any]:
    """Do an operation of the kind `botyard.accounts.batches.ADD_BOTS`: from the first bot that was not looked at."""
    return asyncio.run(_add_bots(work))


async def _add_bots(work: Work) -> dict[str, Any]:
    kept = work.request.get(PRIVATE, {}).get("bots", [])
    settings = get_settings()
    request = AiohttpRequest(settings.api_timeout_seconds)

    async def pause(seconds: float) -> None:
        until = asyncio.get_running_loop().time() + seconds
        while (left := until - asyncio.get_running_loop().time()) > 0:
            work.advance(work.done)
            await asyncio.sleep(min(left, _STEP_SECONDS))

    try:
        for place in range(work.done, len(kept)):
            one = kept[place]
            try:
                line = line_of(one, open_sealed(sealed_token(one)))
            except InputError as error:
                outcome = Outcome("failed", None, f"{error.problem} {error.remedy}")
            else:
                outcome = await add_line(line, work.customer_id, request, settings, pause)
            _note(work.report, one, outcome)
            work.advance(place + 1)
    finally:
        await request.close()
    return {name: told for name, told in work.report.items() if name != PRIVATE}


def _note(report: dict[str, Any], kept: dict[str, Any], outcome: Outcome) -> None:
    report[outcome.result] = report.get(outcome.result, 0) + 1
    report.setdefault("bots", []).append({
        "telegramId": str(kept["telegramId"]), "label": kept["label"], "result": outcome.result,
        "botId": None if outcome.bot_id is None else f"bot_{outcome.bot_id}", "says": outcome.says,
    })  # fmt: skip


async def _register(
    line: BotLine, customer_id: int | None, request: AiohttpRequest, settings: Settings
) -> Registered:  # fmt: skip
    kind = None if line.kind is None else lasting_name(line.kind)
    # Before anything is written: a kind that cannot be used is the asker's mistake.
    wanted_updates(kind or NEW_KIND)
    new = NewBot(
        line.token, kind, settings.api_url, line.queue, settings.webhook_address, settings.take_over, customer_id,
        again=False,
    )  # fmt: skip
    return await register_bot(new, request, settings)


async def _connect(registered: Registered, request: AiohttpRequest, settings: Settings) -> Outcome:
    try:
        # Whoever has its updates now was asked about before it was registered.
        await connect_bot(registered.id, request, settings, proving=False, take_over=True)
    except (InputError, Unreachable) as error:
        says = f"@{registered.username} is registered, and not connected yet: {error} Its next check tries again."
        return Outcome("added", registered.id, says)
    return Outcome("added", registered.id, f"@{registered.username} is connected.")
