"""What a bot in maintenance does: it says so, once in a chat and hour, and leaves the rest undone.

See docs/manager.md.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from telegram import Update
from telegram.ext import Application, ContextTypes, TypeHandler

AGAIN_SECONDS: Final = 3600
_TEXTS: Final = {
    "en": "This bot is being worked on. Please come back a little later.",
    "ru": "Бот на обслуживании. Пожалуйста, загляните чуть позже.",
}

First = Callable[[int], Awaitable[bool]]
"""Whether this is the first time in this hour that a chat is told."""


def upkeep(first: First) -> Callable[["Application[Any, Any, Any, Any, Any, Any]"], None]:
    """The kind that every bot is while it is in maintenance.

    Args:
        first: says of a chat's id whether it is to be told now.
    """

    async def tell(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
        person, chat = update.effective_user, update.effective_chat
        text = _TEXTS.get((person.language_code or "en")[:2] if person else "en", _TEXTS["en"])
        if update.callback_query is not None:
            await update.callback_query.answer(text)
        elif update.message is not None and chat is not None and await first(chat.id):
            await context.bot.send_message(chat.id, text)
        elif update.pre_checkout_query is not None:
            await update.pre_checkout_query.answer(ok=False, error_message=text)

    def add(application: "Application[Any, Any, Any, Any, Any, Any]") -> None:
        application.add_handler(TypeHandler(Update, tell))

    return add
