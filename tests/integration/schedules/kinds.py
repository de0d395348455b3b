"""A bot whose commands somebody may schedule."""

from typing import Any

from telegram import Update
from telegram.ext import Application, CommandHandler


async def _digest(update: Update, context: Any) -> None:
    assert update.effective_message is not None
    assert update.effective_user is not None
    count = context.user_data["count"] = context.user_data.get("count", 0) + 1
    await update.effective_message.reply_text(
        f"{update.effective_user.first_name} has {' '.join(context.args)}, {count}"
    )


async def _jobs(update: Update, context: Any) -> None:
    assert update.effective_message is not None
    await update.effective_message.reply_text(f"{len(context.job_queue.jobs())} jobs")


async def _nothing(_: Any) -> None:
    """What is put off."""


async def _later(update: Update, context: Any) -> None:
    assert update.effective_message is not None
    context.job_queue.run_once(_nothing, 3600)
    await update.effective_message.reply_text("later")


def digesting(application: "Application[Any, Any, Any, Any, Any, Any]") -> None:
    """The kind."""
    application.add_handler(CommandHandler("digest", _digest))
    application.add_handler(CommandHandler("jobs", _jobs))
    application.add_handler(CommandHandler("later", _later))
