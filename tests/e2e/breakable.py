"""A kind of bot that fails as long as a file is there."""

import os
from pathlib import Path
from typing import Any

from telegram.ext import MessageHandler, filters

VARIABLE = "BREAKABLE_FILE"


async def _answer(update: Any, _: Any) -> None:
    text = update.message.text
    if text.startswith("fragile") and Path(os.environ[VARIABLE]).exists():  # noqa: ASYNC240 - a look at a local file
        raise RuntimeError("broken on purpose")
    await update.message.reply_text(f"did {text}")


def breakable(application: Any) -> None:
    """Answers every message, but those that begin with "fragile" only while the file is missing."""
    application.add_handler(MessageHandler(filters.ALL, _answer))
