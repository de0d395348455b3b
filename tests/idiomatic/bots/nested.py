# mypy: ignore-errors
"""A family tree: conversations in conversations, with map_to_parent."""

import os

from telegram import InlineKeyboardButton, InlineKeyboardMarkup, Update
from telegram.ext import (
    Application,
    CallbackQueryHandler,
    CommandHandler,
    ContextTypes,
    ConversationHandler,
    MessageHandler,
    filters,
)

SELECTING, ADDING, NAMING, AGEING, SHOWING, STOPPING = map(chr, range(6))
END = ConversationHandler.END


async def menu(update: Update, context: ContextTypes.DEFAULT_TYPE) -> str:
    keyboard = InlineKeyboardMarkup(
        [
            [InlineKeyboardButton("Add somebody", callback_data="add")],
            [InlineKeyboardButton("Show", callback_data="show"), InlineKeyboardButton("Done", callback_data="done")],
        ]
    )
    text = f"Your family has {len(context.user_data.get('family', []))} people."
    if context.user_data.pop("start_over", False):
        await update.message.reply_text(text, reply_markup=keyboard)
    elif update.callback_query:
        await update.callback_query.answer()
        await update.callback_query.edit_message_text(text=text, reply_markup=keyboard)
    else:
        await update.message.reply_text(text, reply_markup=keyboard)
    return SELECTING


async def add(update: Update, context: ContextTypes.DEFAULT_TYPE) -> str:
    await update.callback_query.answer()
    await update.callback_query.edit_message_text("What is the name?")
    return NAMING


async def name(update: Update, context: ContextTypes.DEFAULT_TYPE) -> str:
    context.user_data["name"] = update.message.text
    await update.message.reply_text(f"How old is {update.message.text}?")
    return AGEING


async def age(update: Update, context: ContextTypes.DEFAULT_TYPE) -> int:
    family = context.user_data.setdefault("family", [])
    family.append((context.user_data.pop("name"), int(update.message.text)))
    context.user_data["start_over"] = True
    await menu(update, context)
    return END


async def show(update: Update, context: ContextTypes.DEFAULT_TYPE) -> str:
    lines = [f"{name}, {age}" for name, age in context.user_data.get("family", [])] or ["nobody"]
    await update.callback_query.answer()
    back = InlineKeyboardMarkup.from_button(InlineKeyboardButton("Back", callback_data="back"))
    await update.callback_query.edit_message_text("\n".join(lines), reply_markup=back)
    return SHOWING


async def done(update: Update, context: ContextTypes.DEFAULT_TYPE) -> int:
    await update.callback_query.answer()
    await update.callback_query.edit_message_text("See you around!")
    return END


async def stop(update: Update, context: ContextTypes.DEFAULT_TYPE) -> int:
    await update.message.reply_text("Okay, bye.")
    return END


async def stop_nested(update: Update, context: ContextTypes.DEFAULT_TYPE) -> str:
    await update.message.reply_text("Okay, bye.")
    return STOPPING


def main() -> None:
    application = Application.builder().token(os.environ["BOT_TOKEN"]).build()
    adding = ConversationHandler(
        entry_points=[CallbackQueryHandler(add, pattern="^add$")],
        states={
            NAMING: [MessageHandler(filters.TEXT & ~filters.COMMAND, name)],
            AGEING: [MessageHandler(filters.Regex(r"^\d+$"), age)],
        },
        fallbacks=[CommandHandler("stop", stop_nested)],
        map_to_parent={END: SELECTING, STOPPING: END},
    )
    selection = [
        adding,
        CallbackQueryHandler(show, pattern="^show$"),
        CallbackQueryHandler(done, pattern="^done$"),
    ]
    application.add_handler(
        ConversationHandler(
            entry_points=[CommandHandler("start", menu)],
            states={SELECTING: selection, SHOWING: [CallbackQueryHandler(menu, pattern="^back$")]},
            fallbacks=[CommandHandler("stop", stop)],
        )
    )
    application.run_polling(allowed_updates=Update.ALL_TYPES)


if __name__ == "__main__":
    main()
