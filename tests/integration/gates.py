"""A kind of bot whose handler waits until the test lets it go on."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from telegram.ext import MessageHandler, filters


@dataclass
class Gate:
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)


GATES: list[Gate] = []


def fresh() -> Gate:
    GATES[:] = [Gate()]
    return GATES[0]


def gated(application: Any) -> None:
    async def wait(update: Any, _: Any) -> None:
        await update.effective_message.reply_text("never to be seen")
        GATES[0].reached.set()
        await GATES[0].opened.wait()

    application.add_handler(MessageHandler(filters.ALL, wait))
