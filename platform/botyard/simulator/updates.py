"""Making updates: their kind, their queue, their shelf life, their finished JSON."""

from typing import Any

from botyard.simulator.model import Bot, Json, Update
from botyard.simulator.packing import pack
from botyard.simulator.world import CALLBACK_LIFE, MESSAGE_LIFE, World


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
        _lane(kind, chat_id, user_id),
        world.now() + (CALLBACK_LIFE if kind == "callback_query" else MESSAGE_LIFE),
        pack(body),
    )
    bot.pending[update_id] = update
    world.revision += 1
    if world.listener:
        world.listener.update_made(bot, update)
    return update_id


def _lane(kind: str, chat_id: int, user_id: int) -> str:
    """Return the queue an update waits in: a press may overtake a message of its own chat."""
    if kind == "callback_query":
        return f"user {user_id}"
    if kind == "my_chat_member":
        return f"membership {chat_id}"
    return f"chat {chat_id}"


def drop_expired(world: World, bot: Bot) -> None:
    """Forget what no one fetched in time."""
    now = world.now()
    for update in [update for update in bot.pending.values() if update.expires <= now]:
        del bot.pending[update.update_id]
