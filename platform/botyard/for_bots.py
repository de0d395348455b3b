"""What the code of a bot may import of the platform, if it wants more than python-telegram-bot has.

A bot needs nothing of it. Code that uses it runs under plain python-telegram-bot as well.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from botyard.state.registry import keep_as
from botyard.telegram.run import directly

__all__ = ["direct", "keep_as"]


@asynccontextmanager
async def direct(context: Any) -> AsyncIterator[Any]:
    """Within this block sends go to Telegram at once, and raise what Telegram answers.

    ``async with direct(context) as bot: await bot.send_message(...)``. What was sent before the block goes out after
    the update was handled, as always; so what is sent within it may come before.

    Args:
        context: the handler's.

    Returns:
        Its bot.
    """
    token = directly.set(True)
    try:
        yield context.bot
    finally:
        directly.reset(token)
