# mypy: ignore-errors
"""Commands for a group's administrators, with every refusal of Telegram in words."""

import datetime
import os

from telegram import ChatPermissions, Update
from telegram.constants import ChatMemberStatus
from telegram.error import BadRequest, Forbidden, TelegramError
from telegram.ext import Application, CommandHandler, ContextTypes, filters


async def is_admin(update: Update, context: ContextTypes.DEFAULT_TYPE) -> bool:
    member = await context.bot.get_chat_member(update.effective_chat.id, update.effective_user.id)
    return member.status in (ChatMemberStatus.ADMINISTRATOR, ChatMemberStatus.OWNER)


async def kick(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    if not await is_admin(update, context):
        await update.message.reply_text("Only administrators may do this.")
        return
    try:
        await update.effective_chat.ban_member(int(context.args[0]))
        await update.effective_chat.unban_member(int(context.args[0]))
    except BadRequest as error:
        await update.message.reply_text(f"Telegram says: {error.message}")
    else:
        kicked = context.chat_data["kicked"] = context.chat_data.get("kicked", 0) + 1
        await update.message.reply_text(f"Kicked, number {kicked}.")


async def mute(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    if not await is_admin(update, context):
        return
    until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=5)
    muted = ChatPermissions(can_send_messages=False)
    user = update.message.reply_to_message.from_user
    await context.bot.restrict_chat_member(update.effective_chat.id, user.id, muted, until_date=until)
    await update.message.reply_text(f"{user.first_name} is quiet for five minutes.")


async def whisper(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    try:
        await context.bot.send_message(int(context.args[0]), "A word from your administrators.")
    except Forbidden as error:
        await update.message.reply_text(f"They do not want to hear: {error.message}")
    except TelegramError as error:
        await update.message.reply_text(f"It did not work: {error.message}")
    else:
        await update.message.reply_text("Told.")


async def title(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    if await is_admin(update, context):
        await context.bot.set_chat_title(update.effective_chat.id, " ".join(context.args))
        await update.message.reply_text(f"{await update.effective_chat.get_member_count()} of us have a new title.")


def main() -> None:
    app = Application.builder().token(os.environ["BOT_TOKEN"]).build()
    group = filters.ChatType.GROUPS
    app.add_handler(CommandHandler("kick", kick, group))
    app.add_handler(CommandHandler("mute", mute, group & filters.REPLY))
    app.add_handler(CommandHandler("title", title, group))
    app.add_handler(CommandHandler("whisper", whisper))
    app.run_polling()


if __name__ == "__main__":
    main()
