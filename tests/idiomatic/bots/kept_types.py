# mypy: ignore-errors
"""Memory with more than JSON: datetimes, sets, Decimal, Enum, tuples as keys, bytes, messages."""

import os
from collections import Counter, deque
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum

from telegram import Update
from telegram.ext import Application, CommandHandler, ContextTypes, MessageHandler, filters


class Mood(Enum):
    GOOD = "good"
    BAD = "bad"


async def start(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    context.user_data.update(
        since=datetime(2024, 2, 29, 12, 30, tzinfo=timezone(timedelta(hours=1))),
        birthday=date(2000, 1, 31),
        balance=Decimal("0.10"),
        seen=set(),
        words=Counter(),
        last=deque(maxlen=3),
        board={(0, 0): "x", (1, 2): "o"},
        mood=Mood.GOOD,
        raw=b"\x00\xff",
    )
    context.user_data["first"] = update.message
    await update.message.reply_text("Remembered.")


async def pay(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    context.user_data["balance"] += Decimal(context.args[0])
    context.user_data["since"] += timedelta(days=1)
    await update.message.reply_text(f"{context.user_data['balance']} since {context.user_data['since'].isoformat()}")


async def show(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    data = context.user_data
    age = data["since"].date() - data["birthday"]
    await update.message.reply_text(
        f"{data['balance'] * 3} {sorted(data['seen'])} {data['words'].most_common(1)} {list(data['last'])} "
        f"{data['board'][1, 2]} {data['mood'] is Mood.GOOD} {data['raw']!r} {age.days} {data['first'].text}"
    )


async def words(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    said = update.message.text.split()
    context.user_data["seen"].update(said)
    context.user_data["words"].update(said)
    context.user_data["last"].extend(said)
    context.user_data["mood"] = Mood.BAD if "bad" in said else Mood.GOOD
    await update.message.reply_text(
        f"{len(context.user_data['seen'])} words, I feel {context.user_data['mood'].value}."
    )


def main() -> None:
    app = Application.builder().token(os.environ["BOT_TOKEN"]).build()
    app.add_handler(CommandHandler("start", start))
    app.add_handler(CommandHandler("pay", pay))
    app.add_handler(CommandHandler("show", show))
    app.add_handler(MessageHandler(filters.TEXT & ~filters.COMMAND, words))
    app.run_polling()


if __name__ == "__main__":
    main()
