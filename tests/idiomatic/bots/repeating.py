# mypy: ignore-errors
"""Repeating and daily jobs, switched on and off."""

import datetime
import os

from telegram import Update
from telegram.ext import Application, CommandHandler, ContextTypes

TIMES = 3


async def tick(context: ContextTypes.DEFAULT_TYPE) -> None:
    context.job.data["ticks"] += 1
    ticks = context.job.data["ticks"]
    await context.bot.send_message(context.job.chat_id, f"Tick {ticks}")
    if ticks == TIMES:
        context.job.schedule_removal()


async def good_morning(context: ContextTypes.DEFAULT_TYPE) -> None:
    await context.bot.send_message(context.job.chat_id, "Good morning!")


async def start(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    chat_id = update.effective_chat.id
    context.job_queue.run_repeating(
        tick, interval=1, first=1, data={"ticks": 0}, chat_id=chat_id, name=f"tick-{chat_id}"
    )
    await update.message.reply_text("The clock ticks.")


async def daily(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    time = datetime.time.fromisoformat(context.args[0]).replace(tzinfo=datetime.timezone.utc)
    context.job_queue.run_daily(
        good_morning, time, chat_id=update.effective_chat.id, name=f"daily-{update.effective_chat.id}"
    )
    await update.message.reply_text(f"I shall greet you at {time:%H:%M}.")


async def when(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    jobs = context.job_queue.get_jobs_by_name(f"daily-{update.effective_chat.id}")
    if not jobs:
        await update.message.reply_text("Never.")
    else:
        await update.message.reply_text(", ".join(f"{job.next_t:%H:%M}" if job.next_t else "off" for job in jobs))


async def switch(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    for job in context.job_queue.jobs():
        if job.name == f"daily-{update.effective_chat.id}":
            job.enabled = context.args == ["on"]
    await when(update, context)


async def stop(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    for job in context.job_queue.get_jobs_by_name(f"daily-{update.effective_chat.id}"):
        job.schedule_removal()
    await update.message.reply_text("Sleep well.")


def main() -> None:
    application = Application.builder().token(os.environ["BOT_TOKEN"]).build()
    for name, callback in (("start", start), ("daily", daily), ("when", when), ("switch", switch), ("stop", stop)):
        application.add_handler(CommandHandler(name, callback))
    application.run_polling()


if __name__ == "__main__":
    main()
