# mypy: ignore-errors
"""Notes: answers with quotes, pins, copies, forwards, reactions, edited messages, and what deletes itself."""

import os

from telegram import ReactionTypeEmoji, ReplyParameters, Update
from telegram.ext import (
    Application,
    CommandHandler,
    ContextTypes,
    MessageHandler,
    MessageReactionHandler,
    filters,
)


async def note(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    text = update.message.text.partition(" ")[2]
    sent = await update.message.reply_text(f"Note: {text}")
    await sent.pin(disable_notification=True)
    context.chat_data["note"] = sent.message_id
    context.chat_data["pinned"] = context.chat_data.get("pinned", 0) + 1


async def done(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    message_id = context.chat_data.pop("note", None)
    if message_id is None:
        await update.message.reply_text("There is no note.", do_quote=True)
        return
    await context.bot.unpin_chat_message(update.effective_chat.id, message_id)
    await context.bot.delete_message(update.effective_chat.id, message_id)
    await update.message.set_reaction("👍")


async def quote(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    original = update.message.reply_to_message
    word = original.text.split()[-1]
    await update.message.reply_text(
        f"You mean {word}?", reply_parameters=ReplyParameters(original.message_id, quote=word)
    )


async def copy(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    await update.message.reply_to_message.copy(update.effective_chat.id)
    await update.message.reply_to_message.forward(update.effective_chat.id)


async def edited(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    await update.edited_message.reply_text(f"Now it says {update.edited_message.text}", do_quote=True)


async def reacted(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    new = [
        reaction.emoji for reaction in update.message_reaction.new_reaction if isinstance(reaction, ReactionTypeEmoji)
    ]
    await context.bot.send_message(update.effective_chat.id, f"You feel {' '.join(new) or 'nothing'}.")


async def clear(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    sent = await context.bot.send_message(update.effective_chat.id, "Clearing ...")
    await context.bot.delete_messages(update.effective_chat.id, [update.message.message_id, sent.message_id])


def main() -> None:
    app = Application.builder().token(os.environ["BOT_TOKEN"]).build()
    app.add_handler(MessageHandler(filters.UpdateType.EDITED_MESSAGE, edited))
    app.add_handler(CommandHandler("note", note))
    app.add_handler(CommandHandler("done", done))
    app.add_handler(CommandHandler("quote", quote, filters.REPLY))
    app.add_handler(CommandHandler("copy", copy, filters.REPLY))
    app.add_handler(CommandHandler("clear", clear))
    app.add_handler(MessageReactionHandler(reacted))
    app.run_polling(allowed_updates=Update.ALL_TYPES)


if __name__ == "__main__":
    main()
