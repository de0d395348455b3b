"""What belongs to one message: its updates, their deliveries, and the bot's calls."""

from typing import Any

import orjson

from botyard.simulator.history import History
from botyard.simulator.model import Json

SEARCHED = 50_000
"""How many of the newest events are looked through."""
MOST_CALLS = 50
MESSAGES = ("message", "edited_message", "channel_post", "edited_channel_post")


def message_of(update: Json) -> int:
    """Return the id of the message an update is about; 0 if there is none."""
    for name in MESSAGES:
        if name in update:
            return int(update[name]["message_id"])
    for name in ("callback_query", "message_reaction"):
        if name in update:
            found = update[name].get("message", update[name])
            return int(found.get("message_id", 0))
    return 0


def trace(history: History, *, bot_id: int, chat_id: int, message_id: int) -> Json:
    """Return what belongs to a message of a chat.

    To a person's message belong its updates, to a bot's the call that made it and the update before
    that. A call does not say which update it answers, so to an update are counted the calls about its
    chat up to the chat's next update.

    Args:
        history: where to look.
        bot_id: the bot of a private chat; in other chats all bots count.
        chat_id: the chat.
        message_id: the message.

    Returns:
        ``updates``, ``deliveries``, ``calls``: events as in the history, oldest first.
    """
    events = _events(history, bot_id if chat_id > 0 else 0, chat_id)
    updates = [event for event in events if event["kind"] == "update"]
    made = [event for event in events if event["kind"] == "call" and _about(event, message_id)]
    chosen = [event for event in updates if message_of(event["update"]) == message_id]
    if made and not any(_starts(event, message_id) for event in chosen):
        before = [event for event in updates if event["seq"] < made[0]["seq"]]
        chosen = [*before[-1:], *(event for event in chosen if event not in before[-1:])]
    calls = {event["seq"]: event for event in made}
    for update in chosen:
        calls |= {event["seq"]: event for event in _answers(update, updates, events)}
    wanted = {(event["bot_id"], event["update_id"]) for event in chosen}
    deliveries = [
        event
        for event in events
        if event["kind"] in {"delivery", "dropped"} and (event["bot_id"], event["update_id"]) in wanted
    ]
    return {"updates": chosen, "deliveries": deliveries, "calls": [calls[seq] for seq in sorted(calls)][:MOST_CALLS]}


def message_of_update(history: History, bot_id: int, update_id: int) -> tuple[int, int]:
    """Return chat and message of an update in the history; zeros for what is unknown."""
    key = b'"update_id":%d' % update_id
    for raw in history.newest(SEARCHED):
        if key in raw:
            event = orjson.loads(raw)
            if event["kind"] == "update" and event["bot_id"] == bot_id and event["update_id"] == update_id:
                return int(event["chat_id"]), message_of(event["update"])
    return 0, 0


def _events(history: History, bot_id: int, chat_id: int) -> list[Json]:
    """Return the newest events that may concern a chat, oldest first."""
    # Most events concern other chats: looking for the number's bytes is far cheaper than parsing them all.
    number, query = b"%d" % chat_id, b"query_id"
    parsed = (orjson.loads(raw) for raw in history.newest(SEARCHED) if number in raw or query in raw)
    found = [
        event
        for event in parsed
        if bot_id in (0, event["bot_id"]) and (str(event.get("chat_id")) == str(chat_id) or _answered_query(event))
    ]
    found.reverse()
    return found


def _answered_query(event: Json) -> Any:
    return event["kind"] == "call" and next((v for k, v in event["params"].items() if k.endswith("query_id")), None)


def _query(update: Json) -> Any:
    return next((value["id"] for name, value in update.items() if name.endswith("_query")), None)


def _about(call: Json, message_id: int) -> bool:
    return bool(call["message_id"] == message_id or str(call["params"].get("message_id")) == str(message_id))


def _starts(update: Json, message_id: int) -> bool:
    """Tell whether a message came into being with an update, and was not just touched by it."""
    new = update["update"].get("message") or update["update"].get("channel_post")
    return bool(new and new["message_id"] == message_id)


def _answers(update: Json, updates: list[Json], events: list[Json]) -> list[Json]:
    later = [event["seq"] for event in updates if event["seq"] > update["seq"] and event["bot_id"] == update["bot_id"]]
    end = later[0] if later else float("inf")
    query = _query(update["update"])
    return [
        event
        for event in events
        if event["kind"] == "call"
        and event["bot_id"] == update["bot_id"]
        and not event["method"].lower().startswith("get")
        and (
            (update["seq"] < event["seq"] < end and not _answered_query(event))
            or (query is not None and _answered_query(event) == query)
        )
    ]
