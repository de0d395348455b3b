"""What only a worker can answer, for it needs a bot's token or its code: asked as an operation, and waited for.

The process that serves requests opens no tokens and loads no bot's code.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final

from fastapi import Response
from starlette.concurrency import run_in_threadpool

from botyard.accounts.access import Actor
from botyard.accounts.operations import operation_for
from botyard.bots.connection.asking import Unreachable
from botyard.errors import InputError, Stale
from botyard.operations import Wanted, begin
from botyard.web.api.v1.operations import OperationShown
from db.models import Bot, Operation

_WAITS_SECONDS: Final = 10.0
_LOOKS_SECONDS: Final = 0.05
_LOOKS_AT_MOST: Final = 0.4


async def ask(
    actor: Actor, bot: Bot, kind: str, response: Response, request: Mapping[str, Any] | None = None
) -> dict[str, Any] | OperationShown:
    """The answer of a worker; or, if that is not there within ten seconds, the operation, with status 202.

    Args:
        actor: who asks; they may.
        bot: about which bot.
        kind: of the operation; see `botyard.bots.errands`.
        response: gets the status and the address of the operation.
        request: what its runner needs.

    Raises:
        Stale: what was to be changed was changed meanwhile.
        InputError: what was asked for is refused.
        Unreachable: Telegram cannot be asked.
    """
    wanted = Wanted(kind, bot.customer_id, bot.id, dict(request or {}))
    number = await run_in_threadpool(begin, wanted)
    found = await _ended(actor, number)
    if found.state == "done" and found.result is not None:
        return found.result
    if found.state == "failed":
        _explain(found)
    response.status_code = 202
    response.headers["Location"] = f"/api/v1/operations/op_{number}"
    return OperationShown.of(found)


async def _ended(actor: Actor, number: int) -> Operation:
    """It, once it is over; or as it is when the time is over."""
    until, pause = time.monotonic() + _WAITS_SECONDS, _LOOKS_SECONDS
    while True:
        found = await run_in_threadpool(operation_for, actor, number)
        if found.finished_at is not None or time.monotonic() > until:
            return found
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, _LOOKS_AT_MOST)


def _explain(found: Operation) -> None:
    told = found.result or {}
    if "stale" in told:
        raise Stale(int(told["stale"]))
    if "refused" in told:
        raise InputError(**told["refused"])
    if "away" in told:
        raise Unreachable(told["away"]["says"], told["away"]["retryAfter"])
