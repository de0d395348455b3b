"""Answering pressed buttons."""

from botyard.simulator.errors import bad_request
from botyard.simulator.methods.call import Call, method
from botyard.simulator.world import CALLBACK_LIFE

TEXT_LIMIT = 200
ANSWERS_KEPT = 20


@method("answerCallbackQuery")
def answer_callback_query(call: Call) -> bool:
    """Stop the spinner of a pressed button, with or without a text to show.

    A second answer to the same query is accepted and changes nothing.
    """
    params = call.params
    query = call.world.queries.get(params.text("callback_query_id"))
    if query is None or query.bot_id != call.bot.id or query.date + CALLBACK_LIFE < call.world.now():
        raise bad_request("query is too old and response timeout expired or query ID is invalid")
    text = params.text("text")
    if len(text) > TEXT_LIMIT:
        raise bad_request("MESSAGE_TOO_LONG")
    answer = {
        "callback_query_id": query.id,
        "person_id": query.person_id,
        "text": text,
        "show_alert": params.flag("show_alert"),
        "url": params.text("url"),
    }
    chat = call.world.chat(call.bot.id, query.chat_id)
    if chat and all(old["callback_query_id"] != query.id for old in chat.answers):
        chat.answers = [*chat.answers[1 - ANSWERS_KEPT :], answer]
        call.world.touch(chat)
    return True
