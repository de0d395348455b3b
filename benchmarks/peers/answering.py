"""Bots that answer every text with ``u<update id>``, or with nothing: ``answering.py NAME PORT BOT_API``.

ptb-webhook and aiogram-polling answer; ptb-quiet and aiogram-quiet only take updates in.
"""

import asyncio
import sys

TOKEN = "4900000001:AAbbCCddEEffGGhhIIjjKKllMMnnOOppQQr"  # invented
SECRET = "an-invented-secret"


def python_telegram_bot(port, base, *, answers):
    """``run_webhook``, as its documentation shows it."""
    from telegram import Update
    from telegram.ext import Application, MessageHandler, filters

    async def handle(update, context):
        if answers:
            await update.message.reply_text(f"u{update.update_id}")

    application = Application.builder().token(TOKEN).base_url(f"{base}/bot").build()
    application.add_handler(MessageHandler(filters.ALL, handle))
    application.run_webhook(
        listen="127.0.0.1",
        port=port,
        url_path="hook",
        webhook_url="https://bots.example.org/hook",
        secret_token=SECRET,
        allowed_updates=Update.ALL_TYPES,
    )


def aiogram(port, base, *, polling):
    """``SimpleRequestHandler``, or ``start_polling``."""
    from aiogram import Bot, Dispatcher
    from aiogram.client.session.aiohttp import AiohttpSession
    from aiogram.client.telegram import TelegramAPIServer
    from aiogram.webhook.aiohttp_server import SimpleRequestHandler, setup_application
    from aiohttp import web

    dispatcher = Dispatcher()
    bot = Bot(TOKEN, session=AiohttpSession(api=TelegramAPIServer.from_base(base)))

    @dispatcher.message()
    async def handle(message, event_update):
        if polling:
            await message.answer(f"u{event_update.update_id}")

    if polling:
        asyncio.run(dispatcher.start_polling(bot))
        return
    application = web.Application()
    SimpleRequestHandler(dispatcher, bot, handle_in_background=True, secret_token=SECRET).register(application, "/hook")
    setup_application(application, dispatcher, bot=bot)
    web.run_app(application, host="127.0.0.1", port=port, access_log=None, print=None)


def main(name, port, base):
    """Serve until told to stop."""
    if name.startswith("ptb"):
        python_telegram_bot(port, base, answers=name == "ptb-webhook")
    else:
        aiogram(port, base, polling=name == "aiogram-polling")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
