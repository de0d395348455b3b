"""What a script begins, and in which order its calls go out."""

import asyncio
from typing import Any

from tests.factories import message, until
from tests.integration.fake_api import FakeApi
from tests.integration.own_scripts import Write, rows, say
from tests.integration.rig import Rig, rig


async def test_what_a_task_of_the_beginning_sends_later_goes_out_each_time(
    yard: Rig, api: FakeApi, script: Write, settings: Any
) -> None:
    bot = script("""
    asked = asyncio.Event()
    async def tick(application):
        await asked.wait()
        await application.bot.send_message(5, "tick")
    async def begin(application):
        application.bot_data["task"] = asyncio.create_task(tick(application))
    async def handler(update, context):
        asked.set()
        await context.bot_data["task"]
    application = builder.post_init(begin).build()
    application.add_handler(MessageHandler(filters.ALL, handler))
    """)
    await say(yard, bot, 1)
    async with rig(yard.services, settings) as other:
        await say(other, bot, 2)
    assert api.texts == ["tick", "tick"]


async def test_a_conversation_that_post_init_adds_is_remembered_like_any_other(
    yard: Rig, api: FakeApi, script: Write, settings: Any
) -> None:
    bot = script("""
    from telegram.ext import ConversationHandler
    async def ask(update, context):
        await update.message.reply_text("your name?")
        return 1
    async def told(update, context):
        await update.message.reply_text(f"hello {update.message.text}")
        return ConversationHandler.END
    async def begin(application):
        states = {1: [MessageHandler(filters.TEXT, told)]}
        application.add_handler(ConversationHandler([CommandHandler("ask", ask)], states, []))
    application = builder.post_init(begin).build()
    """)
    await say(yard, bot, 1, "/ask")
    async with rig(yard.services, settings) as other:
        await say(other, bot, 2, "Ann")
    assert api.texts == ["your name?", "hello Ann"]


async def test_a_call_that_goes_at_once_does_not_overtake_what_was_sent_before_it(
    yard: Rig, api: FakeApi, script: Write
) -> None:
    bot = script("""
    async def handler(update, context):
        await update.message.reply_text("now a dice")
        await context.bot.send_dice(update.effective_chat.id)
    application = builder.build()
    application.add_handler(MessageHandler(filters.ALL, handler))
    """)
    yard.settings.handler_timeout_seconds = 10
    await yard.give(bot, message(1))
    settling = asyncio.create_task(yard.settle(sending=False))
    await until(lambda: bool(rows(yard, "SELECT 1 FROM outbox")))
    assert api.calls == []
    await yard.deliver(bot)
    await settling
    assert [call.method for call in api.calls] == ["sendMessage", "sendDice"]
