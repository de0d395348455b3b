"""Making updates: their kind, their queue, their shelf life, their finished JSON."""

from typing import Any

from botyard.simulator.model import Bot, Json, Update
from botyard.simulator.packing import pack
from botyard.simulator.world import CALLBACK_LIFE, MESSAGE_LIFE, World

SHORT_LIVES = {
    "callback_query": CALLBACK_LIFE,
    "shipping_query": CALLBACK_LIFE,
    "pre_checkout_query": CALLBACK_LIFE,
    "inline_query": 30,
    "chosen_inline_result": 600,
}
"""Seconds for which updates wait that do not wait a day (tdlib/telegram-bot-api, Client.cpp, ``add_update``)."""
LANES = {
    "callback_query": "presses of {user_id}",
    "inline_query": "inline queries of {user_id}",
    "chosen_inline_result": "choices of {user_id}",
    "shipping_query": "payments of {user_id}",
    "pre_checkout_query": "payments of {user_id}",
    "purchased_paid_media": "paid media of {user_id}",
    "chat_member": "membership of {user_id}",
    "chat_join_request": "membership of {user_id}",
    "my_chat_member": "own membership in {chat_id}",
    "message_reaction": "reactions in {chat_id}",
    "message_reaction_count": "reaction counts in {chat_id}",
    "poll": "poll {payload[id]}",
    "poll_answer": "poll {payload[poll_id]}",
}
"""The queues of updates that do not wait among the messages of their chat (the same place)."""


def make_update(world: World, bot: Bot, kind: str, payload: Json, *, chat_id: int, user_id: int) -> int | None:
    """Put one update into a bot's inbox.

    Args:
        world: the world it happens in.
        bot: who receives it.
        kind: its field in a Telegram ``Update``, such as ``message``.
        payload: the value of that field.
        chat_id: the chat it happened in.
        user_id: who did it.

    Returns:
        The ``update_id``, or nothing when the bot's ``allowed_updates`` leaves this kind out.
    """
    if not bot.wants(kind):
        return None
    update_id = bot.next_update_id
    bot.next_update_id += 1
    body: dict[str, Any] = {"update_id": update_id, kind: payload}
    update = Update(
        update_id,
        kind,
        chat_id,
        _lane(kind, payload, chat_id, user_id),
        world.now() + SHORT_LIVES.get(kind, MESSAGE_LIFE),
        pack(body),
    )
    bot.pending[update_id] = update
    world.revision += 1
    if world.listener:
        world.listener.update_made(bot, update)
    return update_id


def replay_update(world: World, bot: Bot, kind: str, payload: Json, *, update_id: int | None) -> int:
    """Put a finished update into a bot's inbox once more, whatever kinds the bot asks for.

    Args:
        world: the world it happens in.
        bot: who receives it.
        kind: its field in a Telegram ``Update``.
        payload: the value of that field.
        update_id: the id it had; without one it gets the next.
    """
    if update_id is None:
        update_id = bot.next_update_id
        bot.next_update_id += 1
    chat_id, user_id = _place(payload)
    lane, expires = _lane(kind, payload, chat_id, user_id), world.now() + SHORT_LIVES.get(kind, MESSAGE_LIFE)
    update = Update(update_id, kind, chat_id, lane, expires, pack({"update_id": update_id, kind: payload}))
    bot.pending[update_id] = update
    world.revision += 1
    if world.listener:
        world.listener.update_made(bot, update)
    return update_id


def _place(payload: Json) -> tuple[int, int]:
    """Return chat and person of an update, as far as it names them."""
    chat_id = _id_in(payload.get("chat")) or _id_in(_inner(payload.get("message")).get("chat"))
    return chat_id, _id_in(payload.get("from")) or _id_in(payload.get("user"))


def _id_in(value: object) -> int:
    found = _inner(value).get("id")
    return found if isinstance(found, int) else 0


def _inner(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _lane(kind: str, payload: Json, chat_id: int, user_id: int) -> str:
    """Return the queue an update waits in: a press may overtake a message of its own chat."""
    lane = LANES.get(kind)
    if lane is None:
        return f"chat {chat_id}"
    return lane.format(user_id=user_id, chat_id=chat_id, payload=payload)


def drop_expired(world: World, bot: Bot) -> None:
    """Forget what no one fetched in time."""
    now = world.now()
    for update in [update for update in bot.pending.values() if update.expires <= now]:
        del bot.pending[update.update_id]
