"""A note about each failed handler for the simulator's page, which shows it beside the chat. For development only."""

import contextlib
from typing import Final

import aiohttp

from botyard.mailbox.protocol import Held
from botyard.telemetry.redaction import redact

_SECONDS: Final = 2.0


async def tell(url: str | None, telegram_id: int, held: Held, reason: str, detail: str) -> None:
    """Post a note about an update's failed start; what cannot be posted within two seconds is dropped.

    Args:
        url: where to; none: there are no notes.
        telegram_id: the bot's.
        held: the update.
        reason: one line.
        detail: the traceback.
    """
    if url is None:
        return
    note = {
        "bot_id": telegram_id,
        "update_id": held.update_id,
        "chat_id": int(held.chat) if held.chat.lstrip("-").isdigit() else 0,
        "title": redact(f"{reason} (start {held.attempt})"),
        "text": redact(detail),
    }
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
        async with aiohttp.ClientSession(timeout=timeout) as session, session.post(url, json=note):
            pass
