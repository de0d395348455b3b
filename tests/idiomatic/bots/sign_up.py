# mypy: ignore-errors
"""Signing up: a conversation whose states are an Enum."""

import os
from enum import Enum, auto

from telegram import ReplyKeyboardMarkup, ReplyKeyboardRemove, Update
from telegram.ext import (
    Application,
    CommandHandler,
    ContextTypes,
    ConversationHandler,
    MessageHandler,
    filters,
)


class State(Enum):
    NAME = auto()
    PHOTO = auto()
    LOCATION = auto()
    CONFIRM = auto()


async def start(update: Update, context: ContextTypes.DEFAULT_TYPE) -> State:
    await update.message.reply_text("Welcome! What is your name? /cancel to stop.")
    return State.NAME


async def name(update: Update, context: ContextTypes.DEFAULT_TYPE) -> State:
    context.user_data["name"] = update.message.text.strip()
    await update.message.reply_text(f"Nice to meet you, {context.user_data['name']}. Send me a photo, or /skip.")
    return State.PHOTO


async def photo(update: Update, context: ContextTypes.DEFAULT_TYPE) -> State:
    photo_file = await update.message.photo[-1].get_file()
    context.user_data["photo"] = len(await photo_file.download_as_bytearray())
    await update.message.reply_text("Gorgeous! Now send me your location.")
    return State.LOCATION


async def skip_photo(update: Update, context: ContextTypes.DEFAULT_TYPE) -> State:
    await update.message.reply_text("I bet you look great! Now send me your location.")
    return State.LOCATION


async def location(update: Update, context: ContextTypes.DEFAULT_TYPE) -> State:
    place = update.message.location
    context.user_data["location"] = (place.latitude, place.longitude)
    await update.message.reply_text(
        "Is everything right?",
        reply_markup=ReplyKeyboardMarkup([["Yes", "No"]], one_time_keyboard=True, resize_keyboard=True),
    )
    return State.CONFIRM


async def confirm(update: Update, context: ContextTypes.DEFAULT_TYPE) -> int:
    data = context.user_data
    north, east = data["location"]
    has_photo = "with" if "photo" in data else "without"
    await update.message.reply_text(
        f"Signed up: {data['name']}, {has_photo} a photo, at {north:.1f}/{east:.1f}.",
        reply_markup=ReplyKeyboardRemove(),
    )
    return ConversationHandler.END


async def again(update: Update, context: ContextTypes.DEFAULT_TYPE) -> State:
    context.user_data.clear()
    await update.message.reply_text("Once more, then. What is your name?", reply_markup=ReplyKeyboardRemove())
    return State.NAME


async def cancel(update: Update, context: ContextTypes.DEFAULT_TYPE) -> int:
    await update.message.reply_text("Bye!", reply_markup=ReplyKeyboardRemove())
    return ConversationHandler.END


def main() -> None:
    application = Application.builder().token(os.environ["BOT_TOKEN"]).build()
    application.add_handler(
        ConversationHandler(
            entry_points=[CommandHandler("start", start)],
            states={
                State.NAME: [MessageHandler(filters.TEXT & ~filters.COMMAND, name)],
                State.PHOTO: [MessageHandler(filters.PHOTO, photo), CommandHandler("skip", skip_photo)],
                State.LOCATION: [MessageHandler(filters.LOCATION, location)],
                State.CONFIRM: [
                    MessageHandler(filters.Regex("^Yes$"), confirm),
                    MessageHandler(filters.Regex("^No$"), again),
                ],
            },
            fallbacks=[CommandHandler("cancel", cancel)],
        )
    )
    application.run_polling()


if __name__ == "__main__":
    main()
