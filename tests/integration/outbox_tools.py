"""Rows of an outbox, written and read behind its back."""

from typing import Any

import orjson

from botyard.bots.registry import ServedBot
from botyard.delivery.outbox import Row
from tests.integration.asked import AskedOutbox
from tests.services import Services


def outbox_of(bot: ServedBot, owner: str = "me") -> AskedOutbox:
    return AskedOutbox(bot, owner)


def add_row(services: Services, bot: ServedBot, text: str = "hi", **columns: Any) -> int:
    """Insert a row; its id. ``due`` and ``deadline`` are in seconds from now."""
    values = {
        "bot_id": bot.id,
        "chat_key": "5",
        "lane": 1,
        "method": "sendMessage",
        "params": orjson.dumps({"chat_id": 5, "text": text}).decode(),
    } | columns
    if isinstance(values["params"], dict):
        values["params"] = orjson.dumps(values["params"]).decode()
    for name in ("due", "deadline", "started_at"):
        if name in values:
            values[name] = f"now() + interval '{values[name]} s'"
    literals = [
        str(value) if name in ("due", "deadline", "started_at") or isinstance(value, int) else f"$x${value}$x$"
        for name, value in values.items()
    ]
    statement = f"INSERT INTO outbox ({', '.join(values)}) VALUES ({', '.join(literals)}) RETURNING id"  # noqa: S608 - our own values
    return int(services.superuser(statement)[0][0])


def texts(rows: list[Row]) -> list[str]:
    return [row.params["text"] for row in rows]


def column(services: Services, row_id: int, names: str) -> tuple[Any, ...]:
    (found,) = services.superuser(f"SELECT {names} FROM outbox WHERE id = {row_id}")  # noqa: S608 - our own values
    return found
