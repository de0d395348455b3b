# mypy: ignore-errors
"""A bot with `async def main()`: contacts, dice, places, and keyboards that ask for them."""

import asyncio
import os
import signal

from telegram import KeyboardButton, ReplyKeyboardMarkup, ReplyKeyboardRemove, Update
from telegram.ext import Application, CommandHandler, ContextTypes, MessageHandler, filters


async def start(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    keyboard = [
        [KeyboardButton("My number", request_contact=True), KeyboardButton("My place", request_location=True)],
        ["Nothing"],
    ]
    await update.message.reply_text("Tell me something:", reply_markup=ReplyKeyboardMarkup(keyboard))


async def contact(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    contact = update.message.contact
    own = contact.user_id == update.effective_user.id
    context.user_data["numbers"] = [*context.user_data.get("numbers", []), contact.phone_number]
    await update.message.reply_text(
        f"{'Your' if own else contact.first_name} number ends in {contact.phone_number[-2:]}."
    )


async def location(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    place = update.message.location
    await update.message.reply_venue(place.latitude, place.longitude + 1, title="East of you", address="One degree")
    await update.message.reply_contact("+4930123", "Information")


async def dice(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    known = 1 <= update.message.dice.value <= 6
    await update.message.reply_text(f"A {update.message.dice.emoji}, {'well thrown' if known else 'how odd'}.")


async def nothing(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    numbers = context.user_data.get("numbers", [])
    await update.message.reply_text(f"I know {len(numbers)} numbers.", reply_markup=ReplyKeyboardRemove())


async def main() -> None:
    application = Application.builder().token(os.environ["BOT_TOKEN"]).build()
    application.add_handler(CommandHandler("start", start))
    application.add_handler(MessageHandler(filters.CONTACT, contact))
    application.add_handler(MessageHandler(filters.LOCATION, location))
    application.add_handler(MessageHandler(filters.Dice.ALL, dice))
    application.add_handler(MessageHandler(filters.Text(["Nothing"]), nothing))

    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    async with application:
        await application.start()
        await application.updater.start_polling()
        await stopped.wait()
        await application.updater.stop()
        await application.stop()


if __name__ == "__main__":
    asyncio.run(main())
