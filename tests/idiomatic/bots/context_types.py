# mypy: ignore-errors
"""Own classes for the context and its data (ContextTypes)."""

import os
from collections import defaultdict
from dataclasses import dataclass, field

from telegram import InlineKeyboardButton, InlineKeyboardMarkup, Update
from telegram.constants import ParseMode
from telegram.ext import (
    Application,
    CallbackContext,
    CallbackQueryHandler,
    CommandHandler,
    ContextTypes,
    ExtBot,
    TypeHandler,
)


class ChatData:
    """Counts the clicks of each message."""

    def __init__(self) -> None:
        self.clicks_per_message: defaultdict[int, int] = defaultdict(int)


@dataclass
class Profile:
    nickname: str = ""
    visited: list[int] = field(default_factory=list)


class CustomContext(CallbackContext[ExtBot, Profile, ChatData, dict]):
    def __init__(self, application: Application, chat_id: int | None = None, user_id: int | None = None):
        super().__init__(application=application, chat_id=chat_id, user_id=user_id)
        self._message_id: int | None = None

    @property
    def bot_user_ids(self) -> set[int]:
        return self.bot_data.setdefault("user_ids", set())

    @property
    def message_clicks(self) -> int | None:
        if self._message_id:
            return self.chat_data.clicks_per_message[self._message_id]
        return None

    @message_clicks.setter
    def message_clicks(self, value: int) -> None:
        if not self._message_id:
            raise RuntimeError("There is no message associated with this context object.")
        self.chat_data.clicks_per_message[self._message_id] = value

    @classmethod
    def from_update(cls, update: object, application: "Application") -> "CustomContext":
        context = super().from_update(update, application)
        if context.chat_data and isinstance(update, Update) and update.effective_message:
            context._message_id = update.effective_message.message_id
        return context


async def start(update: Update, context: CustomContext) -> None:
    await update.message.reply_html(
        "This button was clicked <i>0</i> times.",
        reply_markup=InlineKeyboardMarkup.from_button(InlineKeyboardButton(text="Click me!", callback_data="button")),
    )


async def count_click(update: Update, context: CustomContext) -> None:
    context.message_clicks += 1
    await update.callback_query.answer()
    await update.effective_message.edit_text(
        f"This button was clicked <i>{context.message_clicks}</i> times.",
        reply_markup=InlineKeyboardMarkup.from_button(InlineKeyboardButton(text="Click me!", callback_data="button")),
        parse_mode=ParseMode.HTML,
    )


async def nickname(update: Update, context: CustomContext) -> None:
    if context.args:
        context.user_data.nickname = " ".join(context.args)
    await update.message.reply_text(f"You are {context.user_data.nickname or 'nobody'}.")


async def print_users(update: Update, context: CustomContext) -> None:
    await update.message.reply_text(f"{len(context.bot_user_ids)} people use me.")


async def track_users(update: Update, context: CustomContext) -> None:
    if update.effective_user:
        context.bot_user_ids.add(update.effective_user.id)


def main() -> None:
    context_types = ContextTypes(context=CustomContext, chat_data=ChatData, user_data=Profile)
    application = Application.builder().token(os.environ["BOT_TOKEN"]).context_types(context_types).build()
    application.add_handler(TypeHandler(Update, track_users), group=-1)
    application.add_handler(CommandHandler("start", start))
    application.add_handler(CallbackQueryHandler(count_click))
    application.add_handler(CommandHandler("nickname", nickname))
    application.add_handler(CommandHandler("print_users", print_users))
    application.run_polling()


if __name__ == "__main__":
    main()
