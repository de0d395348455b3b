# mypy: ignore-errors
"""News for everybody who has subscribed; who has blocked the bot is forgotten."""

import os

from telegram import Update
from telegram.error import BadRequest, Forbidden
from telegram.ext import Application, CommandHandler, ContextTypes, filters

ADMIN = 900000001


async def start(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    context.bot_data.setdefault("subscribers", {})[update.effective_chat.id] = update.effective_user.first_name
    await update.message.reply_text("You will hear from us.")


async def stop(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    context.bot_data.get("subscribers", {}).pop(update.effective_chat.id, None)
    await update.message.reply_text("You will hear nothing more.")


async def broadcast(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    subscribers = context.bot_data.get("subscribers", {})
    text = " ".join(context.args)
    reached = 0
    for chat_id in list(subscribers):
        try:
            await context.bot.send_message(chat_id, text)
        except Forbidden:
            del subscribers[chat_id]
        except BadRequest as error:
            await update.message.reply_text(f"{subscribers[chat_id]}: {error.message}")
        else:
            reached += 1
    await update.message.reply_text(f"Reached {reached}, {len(subscribers)} are left.")


def main() -> None:
    application = Application.builder().token(os.environ["BOT_TOKEN"]).build()
    application.add_handler(CommandHandler("start", start))
    application.add_handler(CommandHandler("stop", stop))
    application.add_handler(CommandHandler("broadcast", broadcast, filters.User(ADMIN)))
    application.run_polling()


if __name__ == "__main__":
    main()
