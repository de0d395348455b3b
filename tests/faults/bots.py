"""Kinds of bots that go wrong in ways of their own, and one that keeps appointments."""

import asyncio
import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Any, Final

from telegram import Update
from telegram.ext import ContextTypes, MessageHandler, filters

from tests.e2e.bots import _count

_GIGABYTE: Final = 1 << 30


async def _misbehave(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    assert update.message is not None
    match (update.message.text or "").split("-")[0]:
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "raise":
            raise ValueError("on purpose")
        case "stumble" if _stumbles(update.update_id):
            raise ValueError("on purpose, twice")
        case "eat":
            bytearray(4 * _GIGABYTE)
        case "hang":
            await asyncio.sleep(3600)
        case "block":
            time.sleep(20)  # noqa: ASYNC251 - that is the point
    await _count(update, context)


def _stumbles(update_id: int) -> bool:
    """Whether processes of this yard have seen it less than twice: by the second time what comes behind it has come."""
    for turn in ("once", "twice"):
        with contextlib.suppress(FileExistsError):
            Path(os.environ["STATE_DIR"], f"stumbled-{update_id}-{turn}").touch(exist_ok=False)
            return True
    return False


def misbehaving(application: Any) -> None:
    """Counts, and does what the first word of a message says: die, raise, stumble (raise twice), eat, hang, block."""
    application.add_handler(MessageHandler(filters.ALL, _misbehave))


async def _ring(context: ContextTypes.DEFAULT_TYPE) -> None:
    assert context.job is not None
    assert context.job.chat_id is not None
    await context.bot.send_message(context.job.chat_id, f"rang {context.job.data}")


async def _appoint(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    assert update.message is not None
    assert update.effective_chat is not None
    assert context.job_queue is not None
    seconds, _, name = (update.message.text or "").partition(" ")
    context.job_queue.run_once(_ring, float(seconds), data=name, chat_id=update.effective_chat.id)
    await update.message.reply_text(f"at {name}")


def alarm(application: Any) -> None:
    """Given ``5 tea``, says ``at tea``, and ``rang tea`` after five seconds."""
    application.add_handler(MessageHandler(filters.ALL, _appoint))
