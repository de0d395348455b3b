"""Scripts that are bots, on a rig."""

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from botyard.bots.registry import ServedBot
from tests.factories import make_bot, message
from tests.integration.fake_api import FakeApi
from tests.integration.rig import Rig

HEAD = """
import asyncio, datetime
from telegram import InlineKeyboardButton, InlineKeyboardMarkup, InputMediaDocument
from telegram.error import Forbidden
from telegram.ext import Application, CallbackQueryHandler, CommandHandler, MessageHandler, filters
from botyard.for_bots import direct, keep_as

builder = Application.builder().token("1:A")
"""
TAIL = """
application.run_polling()
"""
Write = Callable[[str], ServedBot]


def rows(yard: Rig, statement: str) -> list[tuple[Any, ...]]:
    return yard.services.superuser(statement)


async def say(yard: Rig, bot: ServedBot, update_id: int, text: str = "go") -> None:
    await yard.give(bot, message(update_id, text))
    await yard.settle()


def written(folder: Path, api: FakeApi, body: str) -> ServedBot:
    """A bot of this code."""
    path = folder / "mybot.py"
    path.write_text(HEAD + textwrap.dedent(body) + TAIL)
    return make_bot(kind=str(path), api_url=api.url)
