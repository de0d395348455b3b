# mypy: ignore-errors
"""Several questionnaires at once: a conversation for each message (per_message=True)."""

import os

from telegram import InlineKeyboardButton, InlineKeyboardMarkup, Update
from telegram.ext import Application, CallbackQueryHandler, CommandHandler, ContextTypes, ConversationHandler

BEGIN, SIZE, MILK = "begin", "size", "milk"


def keyboard(*labels: str) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup([[InlineKeyboardButton(label, callback_data=label.lower()) for label in labels]])


async def coffee(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    await update.message.reply_text("A new coffee", reply_markup=keyboard("Order"))


async def order(update: Update, context: ContextTypes.DEFAULT_TYPE) -> str:
    await update.callback_query.answer()
    await update.callback_query.edit_message_text("Which size?", reply_markup=keyboard("Small", "Large"))
    return SIZE


async def size(update: Update, context: ContextTypes.DEFAULT_TYPE) -> str:
    query = update.callback_query
    await query.answer()
    context.chat_data.setdefault("sizes", {})[query.message.message_id] = query.data
    await query.edit_message_text("With milk?", reply_markup=keyboard("Yes", "No"))
    return MILK


async def milk(update: Update, context: ContextTypes.DEFAULT_TYPE) -> int:
    query = update.callback_query
    await query.answer("Thank you")
    chosen = context.chat_data["sizes"].pop(query.message.message_id)
    await query.edit_message_text(f"A {chosen} coffee {'with' if query.data == 'yes' else 'without'} milk.")
    return ConversationHandler.END


application = Application.builder().token(os.environ["BOT_TOKEN"]).build()
application.add_handler(CommandHandler("coffee", coffee))
application.add_handler(
    ConversationHandler(
        entry_points=[CallbackQueryHandler(order, pattern="^order$")],
        states={
            SIZE: [CallbackQueryHandler(size, pattern="^(small|large)$")],
            MILK: [CallbackQueryHandler(milk, pattern="^(yes|no)$")],
        },
        fallbacks=[],
        per_message=True,
    )
)
application.run_polling()
