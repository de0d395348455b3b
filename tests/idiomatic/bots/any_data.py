# mypy: ignore-errors
"""Buttons that carry Python objects: arbitrary_callback_data."""

import os
from typing import cast

from telegram import InlineKeyboardButton, InlineKeyboardMarkup, Update
from telegram.ext import (
    Application,
    CallbackQueryHandler,
    CommandHandler,
    ContextTypes,
    InvalidCallbackData,
)


def build_keyboard(current: list[int]) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup.from_column(
        [InlineKeyboardButton(str(i), callback_data=(i, current)) for i in range(1, 4)]
    )


async def start(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    numbers: list[int] = []
    await update.message.reply_text("Please choose:", reply_markup=build_keyboard(numbers))


async def clear(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    context.bot.callback_data_cache.clear_callback_data()
    context.bot.callback_data_cache.clear_callback_queries()
    await update.effective_message.reply_text("All clear!")


async def list_button(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    query = update.callback_query
    await query.answer()
    number, numbers = cast(tuple[int, list[int]], query.data)
    numbers.append(number)
    await query.edit_message_text(
        text=f"So far you've selected {numbers}. Choose the next item:",
        reply_markup=build_keyboard(numbers),
    )
    context.drop_callback_data(query)


async def invalid(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    await update.callback_query.answer()
    await update.effective_message.edit_text("Sorry, I could not process this button click. Please send /start.")


def main() -> None:
    application = Application.builder().token(os.environ["BOT_TOKEN"]).arbitrary_callback_data(True).build()
    application.add_handler(CommandHandler("start", start))
    application.add_handler(CommandHandler("clear", clear))
    application.add_handler(CallbackQueryHandler(invalid, pattern=InvalidCallbackData))
    application.add_handler(CallbackQueryHandler(list_button))
    application.run_polling(allowed_updates=Update.ALL_TYPES)


if __name__ == "__main__":
    main()
