"""Answers to inline queries and Mini Apps, and messages prepared for a person to send."""

from typing import Any

from botyard.simulator import people
from botyard.simulator.errors import bad_request
from botyard.simulator.methods.call import Call, method
from botyard.simulator.methods.results import read_result, read_results
from botyard.simulator.model import Chat, Json, Message
from botyard.simulator.queries import LIVES, open_query, waiting_query

OFFSET_LIMIT = 64
"""Bytes of ``next_offset``."""
LONGEST_CACHE = 24 * 3600
DEFAULT_CACHE = 300


@method("answerInlineQuery")
def answer_inline_query(call: Call) -> bool:
    """Offer up to 50 results to a person; a second answer replaces the first."""
    params = call.params
    button = _button(params.dictionary("button"))
    results = read_results(call)
    next_offset = params.text("next_offset")
    if len(next_offset.encode()) > OFFSET_LIMIT:
        raise bad_request("NEXT_OFFSET_INVALID")
    query = waiting_query(call.world, call.bot, "inline", params.text("inline_query_id"))
    query.data["answer"] = {
        "results": results,
        "next_offset": next_offset,
        "is_personal": params.flag("is_personal"),
        "cache_time": min(max(params.integer("cache_time", DEFAULT_CACHE), 0), LONGEST_CACHE),
        "button": button,
    }
    call.world.revision += 1
    return True


@method("answerWebAppQuery")
def answer_web_app_query(call: Call) -> Json:
    """Send a message on behalf of the person who has the Mini App open. Once per opening."""
    result = read_result(call)
    query = waiting_query(call.world, call.bot, "web_app", call.params.text("web_app_query_id"))
    del call.world.queries[query.id]
    chat = call.world.private_chat(call.bot.id, query.person_id)
    inline_id = people.send_result(call.world, call.bot, call.world.people[query.person_id], chat, result).inline_id
    return {"inline_message_id": inline_id} if inline_id else {}


@method("savePreparedInlineMessage")
def save_prepared_inline_message(call: Call) -> Json:
    """Keep a message for a day, for one person to send from a Mini App."""
    person = call.world.people.get(call.params.integer("user_id"))
    result = read_result(call)
    if person is None:
        raise bad_request("user not found")
    data: Json = {"answer": {"results": [result]}}
    for name in ("allow_user_chats", "allow_bot_chats", "allow_group_chats", "allow_channel_chats"):
        data[name] = call.params.flag(name)
    if not any(data[name] for name in data if name != "answer"):
        raise bad_request("PEER_TYPES_INVALID")
    query = open_query(call.world, call.bot, person, "prepared", data=data)
    return {"id": query.id, "expiration_date": int(query.date) + LIVES["prepared"]}


def inline_message(call: Call) -> tuple[Chat, Message]:
    """Return the message named by ``inline_message_id``, which a person sent by way of this bot.

    Raises:
        ApiError: there is no such message, or it is another bot's.
    """
    place = call.world.inline_messages.get(call.params.text("inline_message_id"))
    if place:
        bot_id, chat_id, message_id = place
        # Messages stay in the group when it becomes a supergroup, which counts its own from 1.
        chat = call.world.chat(bot_id, chat_id)
        message = chat.messages.get(message_id) if chat else None
        if chat and message and message.author_id == call.bot.id:
            return chat, message
    raise bad_request("MESSAGE_ID_INVALID")


def _button(button: Any) -> Json | None:
    """Check the button above the results: a text, and a start parameter or a Mini App."""
    if button is None:
        return None
    text, start, page = button.get("text"), button.get("start_parameter"), button.get("web_app")
    if not isinstance(text, str):
        raise bad_request("can't parse inline query results button: Can't find field \"text\"")
    if isinstance(start, str):
        if not people.START_PARAMETER.fullmatch(start):
            raise bad_request("START_PARAM_INVALID")
        return {"text": text, "start_parameter": start}
    if isinstance(page, dict) and isinstance(page.get("url"), str):
        return {"text": text, "web_app": {"url": page["url"]}}
    raise bad_request(
        "can't parse inline query results button: InlineQueryResultsButton must have exactly one optional field"
    )
