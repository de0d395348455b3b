# mypy: ignore-errors
"""A counting game for a group: everybody says the next number, nobody twice in a row."""

import os

from telegram import Update
from telegram.ext import Application, CommandHandler, ContextTypes, MessageHandler, filters


async def begin(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    context.chat_data["count"] = 0
    context.chat_data["last"] = None
    await context.bot.send_message(update.effective_chat.id, "Begin with 1!")


async def number(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    if "count" not in context.chat_data:
        return
    user = update.effective_user
    said = int(update.message.text)
    if context.chat_data["last"] == user.id:
        await lose(update, context, f"{user.first_name} counted twice.")
    elif said != context.chat_data["count"] + 1:
        await lose(update, context, f"{user.first_name} said {said}.")
    else:
        context.chat_data["count"] = said
        context.chat_data["last"] = user.id
        context.user_data["points"] = context.user_data.get("points", 0) + 1
        if said % 5 == 0:
            await update.message.reply_text(f"{said} already!")


async def lose(update: Update, context: ContextTypes.DEFAULT_TYPE, why: str) -> None:
    best = context.chat_data["best"] = max(context.chat_data.get("best", 0), context.chat_data.pop("count"))
    await context.bot.send_message(update.effective_chat.id, f"Over: {why} The best was {best}.")


async def points(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    await update.message.reply_text(f"{update.effective_user.first_name}: {context.user_data.get('points', 0)} points")


def main() -> None:
    app = Application.builder().token(os.environ["BOT_TOKEN"]).build()
    app.add_handler(CommandHandler("begin", begin, filters=filters.ChatType.GROUPS))
    app.add_handler(CommandHandler("points", points))
    app.add_handler(MessageHandler(filters.Regex(r"^\d+$") & filters.ChatType.GROUPS, number))
    app.run_polling()


if __name__ == "__main__":
    main()
