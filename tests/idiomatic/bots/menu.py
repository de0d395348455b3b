# mypy: ignore-errors
"""A menu with pages of inline buttons, each a change of the same message."""

import os

from telegram import InlineKeyboardButton, InlineKeyboardMarkup, Update
from telegram.error import BadRequest
from telegram.ext import Application, CallbackQueryHandler, CommandHandler, ContextTypes

DISHES = ["Soup", "Salad", "Bread", "Pasta", "Fish", "Cake", "Coffee"]
PER_PAGE = 3


def page_markup(page: int, chosen: list[str]) -> InlineKeyboardMarkup:
    first = page * PER_PAGE
    rows = [
        [InlineKeyboardButton(f"{'✅ ' if dish in chosen else ''}{dish}", callback_data=f"dish:{page}:{dish}")]
        for dish in DISHES[first : first + PER_PAGE]
    ]
    moves = []
    if page > 0:
        moves.append(InlineKeyboardButton("«", callback_data=f"page:{page - 1}"))
    if first + PER_PAGE < len(DISHES):
        moves.append(InlineKeyboardButton("»", callback_data=f"page:{page + 1}"))
    rows.append(moves)
    rows.append([InlineKeyboardButton("Order", callback_data="order")])
    return InlineKeyboardMarkup(rows)


async def start(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    await update.message.reply_text("What would you like?", reply_markup=page_markup(0, []))


async def turn(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    query = update.callback_query
    await query.answer()
    page = int(query.data.split(":")[1])
    await query.edit_message_reply_markup(page_markup(page, context.chat_data.get("chosen", [])))


async def choose(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    query = update.callback_query
    _, page, dish = query.data.split(":")
    chosen = context.chat_data.setdefault("chosen", [])
    if dish in chosen:
        chosen.remove(dish)
        await query.answer(f"Without {dish}")
    else:
        chosen.append(dish)
        await query.answer(f"With {dish}")
    await query.edit_message_reply_markup(page_markup(int(page), chosen))


async def order(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    query = update.callback_query
    chosen = context.chat_data.get("chosen", [])
    if not chosen:
        await query.answer("Choose something first", show_alert=True)
        return
    await query.answer()
    try:
        await query.edit_message_text("Ordered:\n" + "\n".join(f"- {dish}" for dish in chosen))
    except BadRequest:
        await context.bot.send_message(update.effective_chat.id, "Your order is on its way already.")
    context.chat_data["chosen"] = []


def main() -> None:
    app = Application.builder().token(os.environ["BOT_TOKEN"]).build()
    app.add_handler(CommandHandler(["start", "menu"], start))
    app.add_handler(CallbackQueryHandler(turn, pattern=r"^page:\d+$"))
    app.add_handler(CallbackQueryHandler(choose, pattern=r"^dish:"))
    app.add_handler(CallbackQueryHandler(order, pattern=r"^order$"))
    app.run_polling()


if __name__ == "__main__":
    main()
