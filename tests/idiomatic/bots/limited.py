# mypy: ignore-errors
"""A bot with python-telegram-bot's own rate limiter."""

import os

from telegram import Update
from telegram.ext import AIORateLimiter, Application, CommandHandler, ContextTypes


async def countdown(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    for number in range(int(context.args[0]), 0, -1):
        await update.message.reply_text(str(number))
    await context.bot.send_message(update.effective_chat.id, "Lift off!", rate_limit_args=3)
    context.chat_data["rockets"] = context.chat_data.get("rockets", 0) + 1


async def rockets(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    await context.bot.send_message(
        chat_id=update.effective_chat.id, text=f"Rockets: {context.chat_data.get('rockets', 0)}", rate_limit_args=1
    )


def main() -> None:
    application = (
        Application.builder()
        .token(os.environ["BOT_TOKEN"])
        .rate_limiter(AIORateLimiter(overall_max_rate=20, overall_time_period=1, max_retries=3))
        .build()
    )
    application.add_handler(CommandHandler("countdown", countdown))
    application.add_handler(CommandHandler("rockets", rockets))
    application.run_polling()


if __name__ == "__main__":
    main()
