"""Answering pressed buttons."""

from botyard.simulator.errors import bad_request
from botyard.simulator.methods.call import Call, method
from botyard.simulator.queries import waiting_query

TEXT_LIMIT = 200
ANSWERS_KEPT = 20


@method("answerCallbackQuery")
def answer_callback_query(call: Call) -> bool:
    """Stop the spinner of a pressed button, with or without a text to show.

    A second answer to the same query is accepted and changes nothing.
    """
    params = call.params
    query = waiting_query(call.world, call.bot, "callback", params.text("callback_query_id"))
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
    chat = call.world.chat(query.data["chat_bot_id"], query.chat_id)
    if chat and all(old["callback_query_id"] != query.id for old in chat.answers):
        chat.answers = [*chat.answers[1 - ANSWERS_KEPT :], answer]
        call.world.touch(chat)
    return True
