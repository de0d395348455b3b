# mypy: ignore-errors
"""A bot with deep links: invitations that carry who has invited."""

import os

from telegram import InlineKeyboardButton, InlineKeyboardMarkup, Update, helpers
from telegram.constants import ParseMode
from telegram.ext import Application, CallbackQueryHandler, CommandHandler, ContextTypes, filters

USING = "using-entities-here"
INVITED = "invited"
SO_COOL = "so-cool"


async def start(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    url = helpers.create_deep_linked_url(context.bot.username, SO_COOL, group=False)
    await update.message.reply_text(f"Share this link: {url}")


async def so_cool(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    url = helpers.create_deep_linked_url(context.bot.username, USING)
    keyboard = InlineKeyboardMarkup.from_button(InlineKeyboardButton(text="Continue", url=url))
    await update.message.reply_text(
        f"Awesome, you came through a deep link. You can also [press here]({url}).",
        parse_mode=ParseMode.MARKDOWN,
        reply_markup=keyboard,
    )


async def using(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    payload = context.args
    await update.message.reply_text(f"The payload is {payload[0]!r}.")
    context.user_data["came_by"] = payload[0]


async def invited(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    inviter = int(context.args[0].removeprefix(INVITED))
    guests = context.bot_data.setdefault("guests", {})
    guests.setdefault(inviter, []).append(update.effective_user.first_name)
    await update.message.reply_text(f"You were invited by number {inviter}.")


async def invite(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    url = helpers.create_deep_linked_url(context.bot.username, f"{INVITED}{update.effective_user.id}")
    keyboard = InlineKeyboardMarkup([[InlineKeyboardButton("My guests", callback_data="guests")]])
    await update.message.reply_text(url, reply_markup=keyboard)


async def guests(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    names = context.bot_data.get("guests", {}).get(update.effective_user.id, [])
    await update.callback_query.answer(", ".join(names) or "Nobody yet", show_alert=True)


def main() -> None:
    application = Application.builder().token(os.environ["BOT_TOKEN"]).build()
    application.add_handler(CommandHandler("start", so_cool, filters.Regex(SO_COOL)))
    application.add_handler(CommandHandler("start", using, filters.Regex(USING)))
    application.add_handler(CommandHandler("start", invited, filters.Regex(INVITED)))
    application.add_handler(CommandHandler("start", start))
    application.add_handler(CommandHandler("invite", invite))
    application.add_handler(CallbackQueryHandler(guests, pattern="^guests$"))
    application.run_polling(allowed_updates=Update.ALL_TYPES)


if __name__ == "__main__":
    main()
