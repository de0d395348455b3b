# mypy: ignore-errors
"""Polls and quizzes: the bot remembers whose poll it is, and counts the answers."""

import os

from telegram import Poll, Update
from telegram.constants import ParseMode
from telegram.ext import Application, CommandHandler, ContextTypes, PollAnswerHandler, PollHandler

TOTAL_VOTER_COUNT = 2


async def start(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    await update.message.reply_text("Please select /poll to get a Poll, /quiz to get a Quiz")


async def poll(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    questions = ["Good", "Really good", "Fantastic", "Great"]
    message = await context.bot.send_poll(
        update.effective_chat.id,
        "How are you?",
        questions,
        is_anonymous=False,
        allows_multiple_answers=True,
    )
    payload = {
        message.poll.id: {
            "questions": questions,
            "message_id": message.message_id,
            "chat_id": update.effective_chat.id,
            "answers": 0,
        }
    }
    context.bot_data.update(payload)


async def receive_poll_answer(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    answer = update.poll_answer
    answered_poll = context.bot_data.get(answer.poll_id)
    if answered_poll is None:
        return
    chosen = " and ".join(answered_poll["questions"][number] for number in answer.option_ids)
    await context.bot.send_message(
        answered_poll["chat_id"],
        f"{update.effective_user.mention_html()} feels {chosen}!",
        parse_mode=ParseMode.HTML,
    )
    answered_poll["answers"] += 1
    if answered_poll["answers"] == TOTAL_VOTER_COUNT:
        await context.bot.stop_poll(answered_poll["chat_id"], answered_poll["message_id"])


async def quiz(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    message = await update.effective_message.reply_poll(
        "How many eggs do you need for a cake?", ["1", "2", "4", "20"], type=Poll.QUIZ, correct_option_id=2
    )
    context.bot_data[message.poll.id] = {"chat_id": update.effective_chat.id, "message_id": message.message_id}


async def receive_quiz_answer(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    if update.poll.is_closed or update.poll.type != Poll.QUIZ:
        return
    quiz_data = context.bot_data.get(update.poll.id)
    if quiz_data is not None and update.poll.total_voter_count:
        await context.bot.stop_poll(quiz_data["chat_id"], quiz_data["message_id"])


def main() -> None:
    application = Application.builder().token(os.environ["BOT_TOKEN"]).build()
    application.add_handler(CommandHandler("start", start))
    application.add_handler(CommandHandler("poll", poll))
    application.add_handler(CommandHandler("quiz", quiz))
    application.add_handler(PollAnswerHandler(receive_poll_answer))
    application.add_handler(PollHandler(receive_quiz_answer))
    application.run_polling(allowed_updates=Update.ALL_TYPES)


if __name__ == "__main__":
    main()
