"""Orders about recorded updates: reading them, and delivering one again."""

from collections.abc import Iterator

import orjson

from botyard.simulator import schema
from botyard.simulator.errors import ControlError
from botyard.simulator.model import Bot, Json
from botyard.simulator.orders.naming import Order, the_bot
from botyard.simulator.params import Params
from botyard.simulator.simulator import Simulator
from botyard.simulator.updates import replay_update

PAGE = 100
LARGEST_PAGE = 10_000


def list_updates(simulator: Simulator, params: Params) -> Json:
    """``GET /sim/updates``: the updates made for a bot, the oldest first, from the record."""
    bot = the_bot(simulator, params)
    limit = min(max(params.integer("limit", PAGE), 0), LARGEST_PAGE)
    found = simulator.history.updates(bot.id, params.integer("after", 0), limit)
    events = [orjson.loads(event) for event in found]
    return {
        "updates": [
            {"seq": event["seq"], "at": event["at"], "chat_id": event["chat_id"], "update": event["update"]}
            for event in events
        ],
        "next": events[-1]["seq"] if events else params.integer("after", 0),
    }


def replay(simulator: Simulator, params: Params) -> Json:
    """``POST /sim/replay``: deliver a recorded update, or one that is given, once more."""
    bot = the_bot(simulator, params)
    update = params.dictionary("update") or _recorded(simulator, bot, params.integer("update_id"))
    kinds = [name for name in update if name != "update_id"]
    if len(kinds) != 1 or kinds[0] not in schema.types()["Update"] or not isinstance(update[kinds[0]], dict):
        raise ControlError(400, "update must have update_id and one field with what happened")
    fresh = params.flag("fresh") or not isinstance(update.get("update_id"), int)
    if not fresh and not bot.webhook:
        raise ControlError(409, "a bot that polls has confirmed this id and would never see it again; ask for fresh")
    if not fresh and update["update_id"] in bot.pending:
        raise ControlError(409, f"update {update['update_id']} is still on its way")
    update_id = None if fresh else int(update["update_id"])
    try:
        made = replay_update(simulator.world, bot, kinds[0], update[kinds[0]], update_id=update_id)
    except KeyError as missing:
        raise ControlError(400, f"the update lacks {missing}, which tells its queue") from None
    return {"update_id": made, "kind": kinds[0]}


def _recorded(simulator: Simulator, bot: Bot, update_id: int) -> Json:
    wanted = f'"update":{{"update_id":{update_id},'.encode()
    newest: Iterator[bytes] = simulator.history.newest(len(simulator.history))
    for event in newest:
        if wanted in event:
            found: Json = orjson.loads(event)
            if found["kind"] == "update" and found["bot_id"] == bot.id:
                return dict(found["update"])
    raise ControlError(404, f"the record has no update {update_id} of this bot")


ORDERS: dict[tuple[str, str], Order] = {
    ("GET", "/sim/updates"): list_updates,
    ("POST", "/sim/replay"): replay,
}
