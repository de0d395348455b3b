# mypy: ignore-errors
"""A conversation that ends by itself when nothing is said for a while."""

import os

from telegram import Update
from telegram.ext import (
    Application,
    CommandHandler,
    ContextTypes,
    ConversationHandler,
    MessageHandler,
    TypeHandler,
    filters,
)

CODE = 0


async def login(update: Update, context: ContextTypes.DEFAULT_TYPE) -> int:
    context.chat_data["tries"] = 0
    await update.message.reply_text("Tell me the code, you have two seconds.")
    return CODE


async def code(update: Update, context: ContextTypes.DEFAULT_TYPE) -> int:
    if update.message.text == "1234":
        await update.message.reply_text("You are in.")
        return ConversationHandler.END
    context.chat_data["tries"] += 1
    await update.message.reply_text("That is wrong, try again.")
    return CODE


async def timeout(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    tries = context.chat_data["tries"]
    await context.bot.send_message(update.effective_chat.id, f"Too late, after {tries} tries.")


async def outside(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    await update.message.reply_text("Please /login first.")


def main() -> None:
    application = Application.builder().token(os.environ["BOT_TOKEN"]).build()
    application.add_handler(
        ConversationHandler(
            entry_points=[CommandHandler("login", login)],
            states={
                CODE: [MessageHandler(filters.TEXT & ~filters.COMMAND, code)],
                ConversationHandler.TIMEOUT: [TypeHandler(Update, timeout)],
            },
            fallbacks=[],
            conversation_timeout=2,
            name="login",
        )
    )
    application.add_handler(MessageHandler(filters.TEXT & ~filters.COMMAND, outside))
    application.run_polling()


if __name__ == "__main__":
    main()
