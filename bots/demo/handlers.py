"""The demo bot's handlers: plain python-telegram-bot, nothing of the platform."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field
from telegram import InlineKeyboardButton, InlineKeyboardMarkup, Message, Update
from telegram.ext import (
    CallbackQueryHandler,
    CommandHandler,
    ContextTypes,
    ConversationHandler,
    MessageHandler,
    filters,
)

NAME, COLOUR, SURE = range(3)
Context = ContextTypes.DEFAULT_TYPE

HELP: Final = (
    "I am the demo bot. Try me:\n"
    "/order - a conversation of three steps\n"
    "/count - I count what you write to me\n"
    "/button - a button that changes its message\n"
    "/cancel - leave a conversation\n"
    "Anything else I repeat."
)


class Settings(BaseModel):
    """What may be set for each demo bot."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    greeting: str = Field(default="Hello {name}!", min_length=1, max_length=500)
    """Its first words to a person, whose name takes the place of ``{name}``."""


def _message(update: Update) -> Message:
    message = update.effective_message
    if message is None:
        raise ValueError("this handler is for messages")
    return message


def _counted(context: Context) -> int:
    memory: dict[str, Any] = context.user_data if context.user_data is not None else {}
    memory["count"] = memory.get("count", 0) + 1
    count: int = memory["count"]
    return count


async def start(update: Update, context: Context, greeting: str) -> None:
    """Greet."""
    _counted(context)
    name = update.effective_user.first_name if update.effective_user else "you"
    await _message(update).reply_text(f"{greeting.replace('{name}', name)} {HELP}")


async def count(update: Update, context: Context) -> None:
    """Say how many messages this person has written."""
    await _message(update).reply_text(f"This is message number {_counted(context)} from you.")


async def echo(update: Update, context: Context, *, loud: bool) -> None:
    """Repeat what was said."""
    _counted(context)
    said = _message(update).text or ""
    await _message(update).reply_text(f"You said: {said.upper() if loud else said}")


async def button(update: Update, _: Context) -> None:
    """Send a message with a button."""
    keyboard = InlineKeyboardMarkup([[InlineKeyboardButton("Press me", callback_data="press:1")]])
    await _message(update).reply_text("Not pressed yet.", reply_markup=keyboard)


async def pressed(update: Update, _: Context) -> None:
    """Change the message whose button was pressed."""
    query = update.callback_query
    if query is None or query.data is None:
        return
    times = int(query.data.removeprefix("press:"))
    await query.answer(f"Press {times} arrived")
    keyboard = InlineKeyboardMarkup([[InlineKeyboardButton("Press again", callback_data=f"press:{times + 1}")]])
    await query.edit_message_text(f"Pressed {times} times.", reply_markup=keyboard)


async def order(update: Update, _: Context) -> int:
    """Begin the conversation."""
    await _message(update).reply_text("Let us paint a kennel. What is your dog's name?")
    return NAME


async def order_name(update: Update, context: Context) -> int:
    """Take the name."""
    if context.chat_data is not None:
        context.chat_data["dog"] = _message(update).text
    await _message(update).reply_text(f"And which colour does {_message(update).text} like?")
    return COLOUR


async def order_colour(update: Update, context: Context) -> int:
    """Take the colour."""
    if context.chat_data is not None:
        context.chat_data["colour"] = _message(update).text
    await _message(update).reply_text("Shall I paint it? yes or no")
    return SURE


async def order_sure(update: Update, context: Context) -> int:
    """End the conversation."""
    memory: dict[str, Any] = context.chat_data if context.chat_data is not None else {}
    agreed = (_message(update).text or "").strip().lower() == "yes"
    text = f"Done: a {memory.get('colour')} kennel for {memory.get('dog')}." if agreed else "Then not."
    await _message(update).reply_text(text)
    return ConversationHandler.END


async def cancel(update: Update, _: Context) -> int:
    """Leave the conversation."""
    await _message(update).reply_text("Cancelled.")
    return ConversationHandler.END


def build(application: Any, settings: Settings, features: Mapping[str, bool]) -> None:
    """Add the handlers, as this bot is configured."""
    greet = partial(start, greeting=settings.greeting)
    words = filters.TEXT & ~filters.COMMAND
    conversation = ConversationHandler(
        entry_points=[CommandHandler("order", order)],
        states={
            NAME: [MessageHandler(words, order_name)],
            COLOUR: [MessageHandler(words, order_colour)],
            SURE: [MessageHandler(words, order_sure)],
        },
        fallbacks=[CommandHandler("cancel", cancel)],
        name="order",
    )
    application.add_handler(conversation)
    application.add_handler(CommandHandler("start", greet))
    application.add_handler(CommandHandler("help", greet))
    application.add_handler(CommandHandler("count", count))
    application.add_handler(CommandHandler("button", button))
    application.add_handler(CallbackQueryHandler(pressed, pattern=r"^press:\d+$"))
    application.add_handler(MessageHandler(words, partial(echo, loud=features.get("loud", False))))
