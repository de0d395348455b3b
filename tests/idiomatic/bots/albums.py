# mypy: ignore-errors
"""Files: keeping their ids, sending them again, albums, and a file made on the spot."""

import io
import os

from telegram import InputMediaDocument, InputMediaPhoto, Update
from telegram.constants import ChatAction
from telegram.ext import Application, CommandHandler, ContextTypes, MessageHandler, filters


async def keep_photo(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    photos = context.chat_data.setdefault("photos", [])
    photos.append(update.message.photo[-1].file_id)
    if update.message.media_group_id is None:
        await update.message.reply_text(f"Kept, that makes {len(photos)}.")


async def keep_document(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    document = update.message.document
    file = await document.get_file()
    content = bytes(await file.download_as_bytearray())
    context.chat_data.setdefault("documents", []).append(document.file_id)
    await update.message.reply_text(f"{document.file_name}: {len(content.splitlines())} lines.")


async def album(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    photos = context.chat_data.get("photos", [])
    if len(photos) < 2:
        await update.message.reply_text("I need two photos at least.")
        return
    await update.message.reply_media_group(
        [InputMediaPhoto(photos[0], caption="The <b>first</b>", parse_mode="HTML")]
        + [InputMediaPhoto(photo) for photo in photos[1:]]
    )


async def last(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    await update.message.reply_document(context.chat_data["documents"][-1], caption="Your last one")


async def report(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    await update.message.reply_chat_action(ChatAction.UPLOAD_DOCUMENT)
    text = (
        f"photos;documents\n{len(context.chat_data.get('photos', []))};{len(context.chat_data.get('documents', []))}\n"
    )
    await update.message.reply_document(io.BytesIO(text.encode()), filename="report.csv", caption="Your report")


async def pair(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    media = [InputMediaDocument(f"{word}!\n".encode(), filename=f"{word}.txt") for word in ("one", "two")]
    await context.bot.send_media_group(update.effective_chat.id, media)


def main() -> None:
    app = Application.builder().token(os.environ["BOT_TOKEN"]).build()
    app.add_handler(MessageHandler(filters.PHOTO, keep_photo))
    app.add_handler(MessageHandler(filters.Document.TEXT, keep_document))
    app.add_handler(CommandHandler("album", album))
    app.add_handler(CommandHandler("last", last))
    app.add_handler(CommandHandler("report", report))
    app.add_handler(CommandHandler("pair", pair))
    app.run_polling()


if __name__ == "__main__":
    main()
