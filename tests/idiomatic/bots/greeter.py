# mypy: ignore-errors
"""Greeting in groups: who comes, who goes, and where the bot itself is."""

import logging
import os

from telegram import Chat, ChatMember, ChatMemberUpdated, Update
from telegram.constants import ParseMode
from telegram.ext import Application, ChatMemberHandler, CommandHandler, ContextTypes

logger = logging.getLogger(__name__)


def extract_status_change(chat_member_update: ChatMemberUpdated) -> tuple[bool, bool] | None:
    status_change = chat_member_update.difference().get("status")
    old_is_member, new_is_member = chat_member_update.difference().get("is_member", (None, None))
    if status_change is None:
        return None
    old_status, new_status = status_change
    inside = [ChatMember.MEMBER, ChatMember.OWNER, ChatMember.ADMINISTRATOR]
    was_member = old_status in inside or (old_status == ChatMember.RESTRICTED and old_is_member is True)
    is_member = new_status in inside or (new_status == ChatMember.RESTRICTED and new_is_member is True)
    return was_member, is_member


async def track_chats(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    result = extract_status_change(update.my_chat_member)
    if result is None:
        return
    was_member, is_member = result
    chat = update.effective_chat
    kind = "user_ids" if chat.type == Chat.PRIVATE else "group_ids"
    if not was_member and is_member:
        context.bot_data.setdefault(kind, set()).add(chat.id)
    elif was_member and not is_member:
        context.bot_data.setdefault(kind, set()).discard(chat.id)


async def show_chats(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    groups = len(context.bot_data.setdefault("group_ids", set()))
    await update.effective_message.reply_text(f"@{context.bot.username} is a member of {groups} groups.")


async def greet_chat_members(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    result = extract_status_change(update.chat_member)
    if result is None:
        return
    was_member, is_member = result
    cause_name = update.chat_member.from_user.mention_html()
    member_name = update.chat_member.new_chat_member.user.mention_html()
    if not was_member and is_member:
        text = f"{member_name} was added by {cause_name}. Welcome!"
    elif was_member and not is_member:
        text = f"{member_name} is no longer with us. Thanks a lot, {cause_name} ..."
    else:
        return
    await update.effective_chat.send_message(text, parse_mode=ParseMode.HTML)


def main() -> None:
    application = Application.builder().token(os.environ["BOT_TOKEN"]).build()
    application.add_handler(ChatMemberHandler(track_chats, ChatMemberHandler.MY_CHAT_MEMBER))
    application.add_handler(CommandHandler("show_chats", show_chats))
    application.add_handler(ChatMemberHandler(greet_chat_members, ChatMemberHandler.CHAT_MEMBER))
    application.run_polling(allowed_updates=Update.ALL_TYPES)


if __name__ == "__main__":
    main()
