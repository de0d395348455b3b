"""Kinds of bots that misbehave in one way each, for tests."""

import asyncio
from typing import Any

from telegram import Update
from telegram.ext import CallbackQueryHandler, CommandHandler, MessageHandler, filters

STARTS: list[int] = []
"""The update of each handler start, in order."""
LET_GO: set[int] = set()
"""Updates whose ``held_up`` handlers may end."""


def _noting(handler: Any) -> Any:
    async def noted(update: Update, context: Any) -> Any:
        STARTS.append(update.update_id)
        return await handler(update, context)

    return noted


def _add(application: Any, handler: Any) -> None:
    application.add_handler(MessageHandler(filters.ALL, _noting(handler)))


async def _echo(update: Any, _: Any) -> None:
    await update.effective_message.reply_text(f"echo {update.effective_message.text}")


async def _misbehave(update: Any, context: Any) -> None:
    """Do what the text says."""
    text = update.effective_message.text
    await update.effective_message.reply_text(f"heard {text}")
    if text == "raise":
        raise ValueError("broken on purpose")
    if text == "odd":
        raise ValueError("broken \0 on \ud800 purpose")
    if text == "hang":
        await asyncio.sleep(60)
    if text == "cancelled":
        raise asyncio.CancelledError
    if text == "exit":
        raise SystemExit(3)
    if text == "lock":
        context.user_data["x"] = asyncio.Lock()
    if text == "nul":
        await update.effective_message.reply_text("a\0b")
    if text == "surrogate":
        await update.effective_message.reply_text("\ud800")
    if text == "huge":
        await update.effective_message.reply_text("x", api_kwargs={"x": 2**70})


def misbehaving(application: Any) -> None:
    _add(application, _misbehave)


def sorry(application: Any) -> None:
    """Misbehaves, and its error handler apologises."""

    async def apologise(update: Any, context: Any) -> None:
        await update.effective_message.reply_text(f"sorry: {type(context.error).__name__}")

    misbehaving(application)
    application.add_error_handler(apologise)


def echo(application: Any) -> None:
    _add(application, _echo)


def remembering(application: Any) -> None:
    """Says everything that was said in the chat."""

    async def remember(update: Any, context: Any) -> None:
        context.chat_data["updates"] = context.chat_data.get("updates", 0) + 1
        if update.effective_message.text:
            said = context.chat_data.setdefault("said", [])
            said.append(update.effective_message.text)
            await update.effective_message.reply_text(" ".join(said))

    _add(application, remember)


def pressed(application: Any) -> None:
    """Answers a button's press, forgets to, or raises, as the button says."""

    async def press(update: Any, _: Any) -> None:
        if update.callback_query.data == "raise":
            raise ValueError("broken on purpose")
        if update.callback_query.data == "answer":
            await update.callback_query.answer("done")

    application.add_handler(CallbackQueryHandler(press))


def counting(application: Any) -> None:
    """Counts a person's messages over all chats, slowly enough to meet itself."""

    async def count(update: Any, context: Any) -> None:
        person = {} if context.user_data is None else context.user_data  # a channel's post has no person
        seen = person.get("seen", 0)
        everyone = context.bot_data.get("seen", 0)
        await asyncio.sleep(0.002)
        person["seen"] = seen + 1
        context.bot_data["seen"] = everyone + 1
        if context.chat_data is not None:
            context.chat_data["last"] = update.update_id

    _add(application, count)


def slow(application: Any) -> None:
    async def wait(_: Any, __: Any) -> None:
        await asyncio.sleep(1.0)

    _add(application, wait)


def held_up(application: Any) -> None:
    """Works on an update until it is told to let it go."""

    async def wait(update: Any, _: Any) -> None:
        while update.update_id not in LET_GO:  # noqa: ASYNC110 - told by tests outside its loop, too
            await asyncio.sleep(0.005)

    _add(application, wait)


def editing(application: Any) -> None:
    """Edits its message in the same update, and again when it is asked to."""

    async def begin(update: Any, context: Any) -> None:
        sent = await update.effective_message.reply_text("one")
        await sent.edit_text("two")
        context.chat_data["message"] = sent.message_id

    async def more(update: Any, context: Any) -> None:
        await context.bot.edit_message_text("three", update.effective_chat.id, context.chat_data["message"])
        await context.bot.delete_message(update.effective_chat.id, context.chat_data["message"])

    application.add_handler(CommandHandler("begin", _noting(begin)))
    application.add_handler(CommandHandler("more", _noting(more)))


def asking(application: Any) -> None:
    """Asks Telegram something, whose answer it needs."""

    async def ask(update: Any, context: Any) -> None:
        await context.bot.get_chat(update.effective_chat.id)

    _add(application, ask)


def asking_polls(application: Any) -> None:
    """Sends a poll, which goes at once."""

    async def ask(update: Any, context: Any) -> None:
        await context.bot.send_poll(update.effective_chat.id, "Tea?", ["yes", "no"])

    _add(application, ask)
