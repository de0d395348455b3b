"""People call a bot from any chat, and send what it offers."""

import re
from dataclasses import dataclass

from botyard.simulator.audience import announce
from botyard.simulator.errors import ControlError
from botyard.simulator.media import RIGHTS
from botyard.simulator.model import Bot, Chat, Json, Person, Query
from botyard.simulator.people.membership import check_may_write
from botyard.simulator.queries import expired, open_query
from botyard.simulator.updates import make_update
from botyard.simulator.world import World

QUERY_LIMIT = 256
START_PARAMETER = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
CHAT_TYPES = ("sender", "private", "group", "supergroup", "channel")


@dataclass(slots=True)
class SentResult:
    """A message sent by way of a bot. ``inline_id`` is empty when the bot cannot edit it."""

    message_id: int
    inline_id: str
    update_id: int | None = None


def ask(world: World, bot: Bot, person: Person, *, text: str, offset: str, chat_type: str) -> tuple[int | None, str]:
    """Let a person type a bot's name and a query into an input field.

    Args:
        world: the world it happens in.
        bot: who is asked.
        person: who asks.
        text: up to 256 characters.
        offset: ``next_offset`` of an earlier answer.
        chat_type: where the person types: one of :data:`CHAT_TYPES`.

    Returns:
        The update id and the id of the inline query.
    """
    if not bot.inline:
        raise ControlError(409, "the bot has no inline mode")
    if len(text) > QUERY_LIMIT:
        raise ControlError(400, f"a query has at most {QUERY_LIMIT} characters")
    if chat_type not in CHAT_TYPES:
        raise ControlError(400, f"chat_type must be one of {', '.join(CHAT_TYPES)}")
    query = open_query(world, bot, person, "inline", data={"query": text, "chat_type": chat_type})
    payload: Json = {
        "id": query.id,
        "from": person.card(),
        "query": text,
        "offset": offset,
        "chat_type": chat_type,
    }
    return make_update(world, bot, "inline_query", payload, chat_id=0, user_id=person.id), query.id


def choose(world: World, query: Query, chat: Chat, result_id: str) -> SentResult:
    """Let a person send one of the offered results; the bot learns which, if it wants to.

    Raises:
        ControlError: there is no such result, it is too late, or the person may not send it there.
    """
    if query.kind == "prepared" and expired(world, query):
        raise ControlError(409, "the prepared message is too old")
    answer = query.data.get("answer")
    if answer is None:
        raise ControlError(409, "the bot has not answered the query")
    result = next((result for result in answer["results"] if result["id"] == result_id), None)
    if result is None:
        raise ControlError(404, f"the answer has no result {result_id}")
    bot, person = world.bots[query.bot_id], world.people[query.person_id]
    _check_place(world, chat, person, result["content"])
    sent = send_result(world, bot, person, chat, result)
    if query.kind == "inline" and bot.inline_feedback:
        chosen: Json = {"result_id": result_id, "from": person.card(), "query": query.data["query"]}
        if sent.inline_id:
            chosen["inline_message_id"] = sent.inline_id
        sent.update_id = make_update(world, bot, "chosen_inline_result", chosen, chat_id=0, user_id=person.id)
    return sent


def send_result(world: World, bot: Bot, person: Person, chat: Chat, result: Json) -> SentResult:
    """Put a result into a chat as a message of a person, by way of a bot. Every bot there hears of it.

    With an inline keyboard it gets an ``inline_message_id``, by which the bot may edit it wherever it stands.
    """
    message = world.add_message(chat, person.id, result["content"] | {"via_bot": bot.card()})
    message.reply_markup = result["markup"]
    message.invoice_id, message.game = result["invoice_id"], result["game"]
    if message.reply_markup:
        message.inline_id = world.ids.randbytes(20).hex()
        world.inline_messages[message.inline_id] = (chat.bot_id, chat.id, message.message_id)
    announce(world, chat, message)
    world.touch(chat)
    return SentResult(message.message_id, message.inline_id)


def _check_place(world: World, chat: Chat, person: Person, content: Json) -> None:
    """Refuse what the person could not send themselves, and in a group inline bots where those are not allowed."""
    if chat.blocked:
        raise ControlError(409, "the person has blocked the bot; unblock it first")
    right = next((RIGHTS[name][0] for name in RIGHTS if name in content), "can_send_messages")
    for needed in (right, "can_send_other_messages"):
        check_may_write(world, chat, person, needed)
