# mypy: ignore-errors
"""Work beside the answers: block=False and create_task, and a message that is changed when the work is done."""

import asyncio
import os

from telegram import Update
from telegram.constants import ChatAction
from telegram.ext import Application, CommandHandler, ContextTypes, MessageHandler, filters


async def compute(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    await update.message.reply_chat_action(ChatAction.TYPING)
    waiting = await update.message.reply_text("Please wait...")
    await asyncio.sleep(1)
    context.user_data["results"] = context.user_data.get("results", 0) + 1
    await waiting.edit_text(f"Result number {context.user_data['results']}: {update.message.text[::-1]}")


async def quick(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    await update.message.reply_text("Quick as a hare.")


async def later(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    async def remind() -> None:
        await asyncio.sleep(0.5)
        await context.bot.send_message(update.effective_chat.id, "Here it is.")

    context.application.create_task(remind(), update=update)
    await update.message.reply_text("In a moment.")


async def both(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    first, second = await asyncio.gather(asyncio.sleep(0.1, "one"), asyncio.sleep(0.1, "two"))
    await update.message.reply_text(f"{first} and {second}")


def main() -> None:
    application = Application.builder().token(os.environ["BOT_TOKEN"]).concurrent_updates(True).build()
    application.add_handler(CommandHandler("quick", quick))
    application.add_handler(CommandHandler("later", later, block=False))
    application.add_handler(CommandHandler("both", both, block=False))
    application.add_handler(MessageHandler(filters.TEXT & ~filters.COMMAND, compute, block=False))
    application.run_polling()


if __name__ == "__main__":
    main()
