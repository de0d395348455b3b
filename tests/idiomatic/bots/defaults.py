# mypy: ignore-errors
"""Defaults: HTML everywhere, answers that quote, no previews, a time zone."""

import os
from zoneinfo import ZoneInfo

from telegram import InlineKeyboardButton, InlineKeyboardMarkup, LinkPreviewOptions, Update
from telegram.constants import ParseMode
from telegram.ext import (
    Application,
    CallbackQueryHandler,
    CommandHandler,
    ContextTypes,
    Defaults,
    MessageHandler,
    filters,
)


async def start(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    await update.message.reply_text("This is <b>bold</b>, <i>italic</i> and <code>code</code>.")


async def plain(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    await update.message.reply_text("This is <b>not</b> bold.", parse_mode=None, do_quote=False)


async def markdown(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    await update.message.reply_text(
        "*Bold* and [a link](https://example\\.org)\\.", parse_mode=ParseMode.MARKDOWN_V2, do_quote=False
    )


async def text(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    count = context.chat_data["count"] = context.chat_data.get("count", 0) + 1
    keyboard = InlineKeyboardMarkup.from_button(InlineKeyboardButton("Underline", callback_data="u"))
    await update.message.reply_text(f"Number <b>{count}</b> https://example.org", reply_markup=keyboard)


async def underline(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    await update.callback_query.answer()
    await update.callback_query.edit_message_text(f"Number <u>{context.chat_data['count']}</u>")


def main() -> None:
    defaults = Defaults(
        parse_mode=ParseMode.HTML,
        do_quote=True,
        link_preview_options=LinkPreviewOptions(is_disabled=True),
        tzinfo=ZoneInfo("Europe/Berlin"),
    )
    application = Application.builder().token(os.environ["BOT_TOKEN"]).defaults(defaults).build()
    application.add_handler(CommandHandler("start", start))
    application.add_handler(CommandHandler("plain", plain))
    application.add_handler(CommandHandler("markdown", markdown))
    application.add_handler(CallbackQueryHandler(underline))
    application.add_handler(MessageHandler(filters.TEXT & ~filters.COMMAND, text))
    application.run_polling()


if __name__ == "__main__":
    main()
