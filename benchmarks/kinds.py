"""The bot that is measured."""

from typing import Any

from telegram import Update
from telegram.ext import ContextTypes, MessageHandler, filters


async def _answer(update: Update, _: ContextTypes.DEFAULT_TYPE) -> None:
    assert update.message is not None
    await update.message.reply_text(f"u{update.update_id}")


def echo(application: Any) -> None:
    """Answers every text with ``u<update id>``."""
    application.add_handler(MessageHandler(filters.ALL, _answer))
