# mypy: ignore-errors
"""What a bot says about itself is set at the start: post_init, and post_shutdown for the end."""

import logging
import os

from telegram import BotCommand, BotCommandScopeAllPrivateChats, MenuButtonCommands, Update
from telegram.ext import Application, ApplicationBuilder, CommandHandler, ContextTypes

logging.basicConfig(level=logging.WARNING)


async def post_init(application: Application) -> None:
    await application.bot.set_my_commands([BotCommand("start", "Starts the bot"), BotCommand("visits", "Counts")])
    await application.bot.set_my_commands(
        [BotCommand("visits", "Counts"), BotCommand("me", "Who am I?")], scope=BotCommandScopeAllPrivateChats()
    )
    await application.bot.set_chat_menu_button(menu_button=MenuButtonCommands())
    me = await application.bot.get_me()
    application.bot_data["name"] = me.first_name


async def post_shutdown(application: Application) -> None:
    logging.getLogger(__name__).warning("Good night.")


async def start(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    await update.message.reply_text(f"I am {context.bot_data['name']}.")


async def visits(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    context.user_data["visits"] = context.user_data.get("visits", 0) + 1
    await update.message.reply_text(f"Visit {context.user_data['visits']}.")


async def me(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    commands = await context.bot.get_my_commands(scope=BotCommandScopeAllPrivateChats())
    await update.message.reply_text(
        f"{update.effective_user.full_name} may say {', '.join('/' + one.command for one in commands)}."
    )


def main() -> None:
    application = (
        ApplicationBuilder()
        .token(os.environ["BOT_TOKEN"])
        .post_init(post_init)
        .post_shutdown(post_shutdown)
        .concurrent_updates(8)
        .connection_pool_size(16)
        .build()
    )
    application.add_handlers(
        [CommandHandler("start", start), CommandHandler("visits", visits), CommandHandler("me", me)]
    )
    application.run_polling(drop_pending_updates=False, close_loop=False)


if __name__ == "__main__":
    main()
