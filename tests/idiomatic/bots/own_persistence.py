# mypy: ignore-errors
"""A bot that keeps its memory in a file: PicklePersistence, with a persistent conversation."""

import os

from telegram import ReplyKeyboardMarkup, ReplyKeyboardRemove, Update
from telegram.ext import (
    Application,
    CommandHandler,
    ContextTypes,
    ConversationHandler,
    MessageHandler,
    PersistenceInput,
    PicklePersistence,
    filters,
)

CHOOSING, TYPING_REPLY = range(2)
markup = ReplyKeyboardMarkup([["Age", "Favourite colour"], ["Done"]], one_time_keyboard=True)


def facts_to_str(user_data: dict[str, str]) -> str:
    return "\n".join(f"{key} - {value}" for key, value in user_data.items()).join(["\n", "\n"])


async def start(update: Update, context: ContextTypes.DEFAULT_TYPE) -> int:
    reply_text = "Hi! My name is Doctor Botter."
    if context.user_data:
        reply_text += f" You already told me your {', '.join(context.user_data.keys())}."
    else:
        reply_text += " Why don't you tell me something about yourself?"
    await update.message.reply_text(reply_text, reply_markup=markup)
    return CHOOSING


async def regular_choice(update: Update, context: ContextTypes.DEFAULT_TYPE) -> int:
    text = update.message.text.lower()
    context.user_data["choice"] = text
    if context.user_data.get(text):
        reply_text = f"Your {text}? I already know: {context.user_data[text]}"
    else:
        reply_text = f"Your {text}? Yes, I would love to hear about that!"
    await update.message.reply_text(reply_text)
    return TYPING_REPLY


async def received_information(update: Update, context: ContextTypes.DEFAULT_TYPE) -> int:
    text = update.message.text
    category = context.user_data["choice"]
    context.user_data[category] = text.lower()
    del context.user_data["choice"]
    await update.message.reply_text(
        f"Neat! This is what you already told me:{facts_to_str(context.user_data)}", reply_markup=markup
    )
    return CHOOSING


async def show_data(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    await update.message.reply_text(f"This is what you already told me: {facts_to_str(context.user_data)}")


async def done(update: Update, context: ContextTypes.DEFAULT_TYPE) -> int:
    context.user_data.pop("choice", None)
    await update.message.reply_text(
        f"I learned these facts about you: {facts_to_str(context.user_data)}Until next time!",
        reply_markup=ReplyKeyboardRemove(),
    )
    return ConversationHandler.END


def main() -> None:
    persistence = PicklePersistence(
        filepath="conversationbot.pickle", store_data=PersistenceInput(bot_data=False), update_interval=5
    )
    application = Application.builder().token(os.environ["BOT_TOKEN"]).persistence(persistence).build()
    conv_handler = ConversationHandler(
        entry_points=[CommandHandler("start", start)],
        states={
            CHOOSING: [MessageHandler(filters.Regex("^(Age|Favourite colour)$"), regular_choice)],
            TYPING_REPLY: [
                MessageHandler(filters.TEXT & ~(filters.COMMAND | filters.Regex("^Done$")), received_information)
            ],
        },
        fallbacks=[MessageHandler(filters.Regex("^Done$"), done)],
        name="my_conversation",
        persistent=True,
    )
    application.add_handler(conv_handler)
    application.add_handler(CommandHandler("show_data", show_data))
    application.run_polling(allowed_updates=Update.ALL_TYPES)


if __name__ == "__main__":
    main()
