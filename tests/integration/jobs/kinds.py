"""Kinds of bots with jobs, for tests."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from telegram.ext import CommandHandler, ConversationHandler, MessageHandler, filters

BERLIN = ZoneInfo("Europe/Berlin")
SHAPE = {"declares": "daily"}
"""What ``declaring`` declares: the tests change it, as a new version of the code would."""


async def alarm(context: Any) -> None:
    await context.bot.send_message(context.job.chat_id, f"beep {context.job.data}")


async def counting(context: Any) -> None:
    """Count in the job's own data, and stop at three."""
    context.job.data["times"] += 1
    await context.bot.send_message(context.job.chat_id, f"time {context.job.data['times']}")
    if context.job.data["times"] == 3:
        context.job.schedule_removal()


async def remembering(context: Any) -> None:
    context.chat_data["fired"] = context.chat_data.get("fired", 0) + 1
    if context.user_data is not None:
        context.user_data["fired"] = True
    context.bot_data["fired"] = True


async def chaining(context: Any) -> None:
    """Make the next one of the same name, unless there is one."""
    if not context.job_queue.get_jobs_by_name("chain"):
        context.job_queue.run_once(chaining, 60, name="chain", chat_id=context.job.chat_id)


async def broken(context: Any) -> None:
    await context.bot.send_message(context.job.chat_id, "not to be sent")
    context.chat_data["x"] = 1
    raise ValueError("broken on purpose")


async def silent(_: Any) -> None:
    """Do nothing."""


class Methods:
    async def bound(self, context: Any) -> None:
        """Nobody finds this again."""

    @staticmethod
    async def static(context: Any) -> None:
        await context.bot.send_message(context.job.chat_id, "static")


ORDERS: dict[str, Any] = {}
"""What ``obeying`` does at a message of this text."""


async def _obey(update: Any, context: Any) -> None:
    text = update.effective_message.text
    answer = ORDERS[text](context.job_queue, update.effective_chat.id, context)
    if answer is not None:
        await update.effective_message.reply_text(str(answer))


def obeying(application: Any) -> None:
    application.add_handler(MessageHandler(filters.TEXT, _obey))


async def _apologise(_: Any, context: Any) -> None:
    await context.bot.send_message(context.job.chat_id, f"sorry: {context.error} of {context.job.name}")


def apologising(application: Any) -> None:
    obeying(application)
    application.add_error_handler(_apologise)


def declaring(application: Any) -> None:
    """Jobs that are made while the bot is built."""
    queue = application.job_queue
    if SHAPE["declares"] == "daily":
        queue.run_daily(alarm, dt.time(9, 0, tzinfo=BERLIN), name="morning", chat_id=7, data="up")
        queue.run_repeating(silent, 3600, first=10, name="hourly")
        queue.run_repeating(silent, 3600, first=10, name="hourly")
        queue.run_once(alarm, 10, name="hello", chat_id=7, data="started")
    else:
        queue.run_repeating(silent, 3600, first=10, name="hourly")
    obeying(application)

    async def after(built: Any) -> None:
        built.job_queue.run_once(alarm, dt.datetime(2020, 1, 1, tzinfo=dt.UTC), name="past", chat_id=7, data="once")

    application.post_init = after


async def _begin(update: Any, _: Any) -> int:
    await update.effective_message.reply_text("your name?")
    return 1


async def _again(update: Any, _: Any) -> int:
    await update.effective_message.reply_text("again?")
    return 1


async def _end(update: Any, _: Any) -> int:
    await update.effective_message.reply_text("bye")
    return ConversationHandler.END


async def _timed_out(update: Any, context: Any) -> None:
    context.chat_data["timed_out"] = update.effective_message.text
    context.user_data["timed_out"] = True
    await update.effective_message.reply_text(f"too late after {update.effective_message.text}")


def talking(application: Any) -> None:
    """A conversation that ends by itself."""
    application.add_handler(
        ConversationHandler(
            entry_points=[CommandHandler("begin", _begin)],
            states={
                1: [CommandHandler("end", _end), MessageHandler(filters.TEXT, _again)],
                ConversationHandler.TIMEOUT: [MessageHandler(filters.ALL, _timed_out)],
            },
            fallbacks=[],
            conversation_timeout=30,
            name="talk",
        )
    )


def unkeepable(application: Any) -> None:
    application.job_queue.run_once(silent, 5, data=open)
