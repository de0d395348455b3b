# mypy: ignore-errors
"""Inline mode: people call the bot from any chat."""

import os
from html import escape
from uuid import uuid4

from telegram import (
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InlineQueryResultArticle,
    InputTextMessageContent,
    Update,
)
from telegram.constants import ParseMode
from telegram.ext import (
    Application,
    CallbackQueryHandler,
    ChosenInlineResultHandler,
    CommandHandler,
    ContextTypes,
    InlineQueryHandler,
)


async def start(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    await update.message.reply_text("Type my name in any chat.")


async def inline_query(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    query = update.inline_query.query
    if not query:
        return
    results = [
        InlineQueryResultArticle(
            id=str(uuid4()), title="Caps", input_message_content=InputTextMessageContent(query.upper())
        ),
        InlineQueryResultArticle(
            id=str(uuid4()),
            title="Bold",
            input_message_content=InputTextMessageContent(f"<b>{escape(query)}</b>", parse_mode=ParseMode.HTML),
        ),
        InlineQueryResultArticle(
            id="poked",
            title="Poke",
            input_message_content=InputTextMessageContent(f"{query}: nobody poked yet"),
            reply_markup=InlineKeyboardMarkup.from_button(InlineKeyboardButton("Poke", callback_data="poke")),
        ),
    ]
    await update.inline_query.answer(results, cache_time=0)


async def chosen(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    context.user_data["chosen"] = context.user_data.get("chosen", 0) + 1


async def poke(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    await update.callback_query.answer("Poked!")
    await update.callback_query.edit_message_text(f"{update.effective_user.first_name} poked.")


async def count(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    await update.message.reply_text(f"You have chosen {context.user_data.get('chosen', 0)} results.")


def main() -> None:
    application = Application.builder().token(os.environ["BOT_TOKEN"]).build()
    application.add_handler(CommandHandler("start", start))
    application.add_handler(CommandHandler("count", count))
    application.add_handler(InlineQueryHandler(inline_query))
    application.add_handler(ChosenInlineResultHandler(chosen))
    application.add_handler(CallbackQueryHandler(poke, pattern="^poke$"))
    application.run_polling(allowed_updates=Update.ALL_TYPES)


if __name__ == "__main__":
    main()
