# mypy: ignore-errors
"""Errors go to the developer's chat."""

import html
import logging
import os
import traceback

from telegram import Update
from telegram.constants import ParseMode
from telegram.ext import Application, CommandHandler, ContextTypes

logger = logging.getLogger(__name__)
DEVELOPER_CHAT_ID = 900000002


async def error_handler(update: object, context: ContextTypes.DEFAULT_TYPE) -> None:
    logger.error("Exception while handling an update:", exc_info=context.error)
    lines = traceback.format_exception(None, context.error, context.error.__traceback__)
    sender = update.effective_user.first_name if isinstance(update, Update) else "nobody"
    message = f"An exception was raised for {html.escape(sender)}\n<pre>{html.escape(lines[-1].strip())}</pre>"
    await context.bot.send_message(chat_id=DEVELOPER_CHAT_ID, text=message, parse_mode=ParseMode.HTML)
    if isinstance(update, Update) and update.effective_message:
        await update.effective_message.reply_text("Sorry, that did not work.")


async def bad_command(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    raise RuntimeError("Nothing works & nobody knows why")


async def divide(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    first, second = map(int, context.args)
    quotient = first // second
    context.user_data["divisions"] = context.user_data.get("divisions", 0) + 1
    await update.message.reply_text(f"{quotient}, your division number {context.user_data['divisions']}.")


async def start(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    await update.effective_message.reply_html(
        f"Use /bad_command to cause an error.\nYour chat id is <code>{update.effective_chat.id}</code>."
    )


def main() -> None:
    application = Application.builder().token(os.environ["BOT_TOKEN"]).build()
    application.add_handler(CommandHandler("start", start))
    application.add_handler(CommandHandler("bad_command", bad_command))
    application.add_handler(CommandHandler("divide", divide))
    application.add_error_handler(error_handler)
    application.run_polling(allowed_updates=Update.ALL_TYPES)


if __name__ == "__main__":
    main()
