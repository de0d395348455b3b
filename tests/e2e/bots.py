"""Kinds of bots for tests: what they answer shows how often, and in which order, they were run."""

import asyncio
import os
import random
import signal
import time
from typing import Any

import structlog
from telegram import InlineKeyboardButton, InlineKeyboardMarkup, Update
from telegram.ext import CallbackQueryHandler, ChatMemberHandler, ContextTypes, MessageHandler, filters

_BUTTON = InlineKeyboardButton("Press", callback_data="x")


async def _count(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    assert update.message is not None
    assert context.chat_data is not None
    memory: dict[str, Any] = context.chat_data
    memory["n"] = memory.get("n", 0) + 1
    await update.message.reply_text(f"{memory['n']} {update.message.text}")


def counter(application: Any) -> None:
    """Answers each message with the number of messages of its chat so far, and the message."""
    application.add_handler(MessageHandler(filters.ALL, _count))


async def _count_slowly(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    # Every tenth one takes its time, so that at any moment of a load somebody is at work.
    await asyncio.sleep(0.5 if random.random() < 0.1 else 0.03)
    await _count(update, context)


def slow_counter(application: Any) -> None:
    """Counts, and takes its time over it."""
    application.add_handler(MessageHandler(filters.ALL, _count_slowly))


async def _ask(update: Update, _: ContextTypes.DEFAULT_TYPE) -> None:
    assert update.message is not None
    await update.message.reply_text("Well?", reply_markup=InlineKeyboardMarkup.from_button(_BUTTON))


async def _forget(_: Update, __: ContextTypes.DEFAULT_TYPE) -> None: ...


def forgetful(application: Any) -> None:
    """Offers a button, and never answers its press."""
    application.add_handler(CallbackQueryHandler(_forget))
    application.add_handler(MessageHandler(filters.ALL, _ask))


async def _sleep(_: Update, __: ContextTypes.DEFAULT_TYPE) -> None:
    await asyncio.sleep(30)


def sleeper(application: Any) -> None:
    """Waits half a minute for somebody else, without an answer."""
    application.add_handler(MessageHandler(filters.ALL, _sleep))


async def _block(_: Update, __: ContextTypes.DEFAULT_TYPE) -> None:
    time.sleep(3)  # noqa: ASYNC251 - that is the point


def blocker(application: Any) -> None:
    """Blocks its event loop."""
    application.add_handler(MessageHandler(filters.ALL, _block))


async def _die(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    assert update.message is not None
    if update.message.text == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    await _count(update, context)


def killer(application: Any) -> None:
    """Counts, and kills its process when it is told to."""
    application.add_handler(MessageHandler(filters.ALL, _die))


async def _where(update: Update, _: ContextTypes.DEFAULT_TYPE) -> None:
    assert update.message is not None
    # Bound by the base of every task, and by nothing else.
    task = structlog.contextvars.get_contextvars().get("task", "no task")
    await update.message.reply_text(f"{os.getpid()} {task}")


def witness(application: Any) -> None:
    """Answers with the process and the Celery task in which it runs."""
    application.add_handler(MessageHandler(filters.ALL, _where))


def echo_of_members(application: Any) -> None:
    """Takes changes of members only, which Telegram sends to nobody who does not ask for them."""
    application.add_handler(ChatMemberHandler(_ignore, ChatMemberHandler.CHAT_MEMBER))


async def _ignore(_: Any, __: Any) -> None: ...
