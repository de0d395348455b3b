# mypy: ignore-errors
"""A ban list and a throttle: TypeHandler in an early group, and ApplicationHandlerStop."""

import time

from telegram import Update
from telegram.ext import (
    Application,
    ApplicationHandlerStop,
    CommandHandler,
    ContextTypes,
    MessageHandler,
    TypeHandler,
    filters,
)

TOKEN = "4377777777:AAAA-a-token-in-the-source"
OWNER = 900000001
MOST = 3


async def check_banned(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    if update.effective_user and update.effective_user.id in context.bot_data.get("banned", set()):
        raise ApplicationHandlerStop


async def throttle(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    if update.effective_user.id == OWNER:
        return
    recent = [moment for moment in context.user_data.get("recent", []) if time.time() - moment < 60]
    context.user_data["recent"] = [*recent, time.time()]
    if len(recent) >= MOST:
        if len(recent) == MOST:
            await update.effective_message.reply_text("Slow down, please.")
        raise ApplicationHandlerStop


async def ban(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    banned = context.bot_data.setdefault("banned", set())
    banned.add(int(context.args[0]))
    await update.message.reply_text(f"Banned: {len(banned)}")


async def unban(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    context.bot_data["banned"].discard(int(context.args[0]))
    await update.message.reply_text("Welcome back.")


async def talk(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    await update.message.reply_text(f"You said {update.message.text}.")


async def count(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    context.bot_data["heard"] = context.bot_data.get("heard", 0) + 1


async def heard(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    await update.message.reply_text(f"Heard {context.bot_data['heard']} messages.")


if __name__ == "__main__":
    app = Application.builder().token(TOKEN).build()
    app.add_handler(TypeHandler(Update, check_banned), -2)
    app.add_handler(TypeHandler(Update, throttle), -1)
    app.add_handler(CommandHandler("ban", ban, filters.User(OWNER)))
    app.add_handler(CommandHandler("unban", unban, filters.User(OWNER)))
    app.add_handler(CommandHandler("heard", heard))
    app.add_handler(MessageHandler(filters.TEXT & ~filters.COMMAND, talk))
    app.add_handler(MessageHandler(filters.TEXT & ~filters.COMMAND, count), 1)
    app.run_polling(poll_interval=0.05)
