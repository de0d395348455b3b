"""How an event looks outside: in `GET /api/v1/events` as in what is sent to endpoints."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from db.models import Event

_OF_TELEGRAM: Final = frozenset({"earlier", "to"})
"""Details that are numbers of Telegram's: more than JavaScript counts exactly."""


def shown_time(at: datetime) -> str:
    """A time as ISO 8601 in UTC, with milliseconds and ``Z``."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def shown_event(event: Event) -> dict[str, Any]:
    """An event as the API shows it."""
    return {
        "id": f"evt_{event.id}",
        "type": event.type,
        "at": shown_time(event.at),
        "customerId": f"cus_{event.customer_id}",
        "botId": None if event.bot_id is None else f"bot_{event.bot_id}",
        "details": details_of(event),
    }


def details_of(event: Event) -> dict[str, Any]:
    """What an event says beside what each of them does."""
    return {name: _detail(name, value) for name, value in event.data.items()}


def _detail(name: str, value: Any) -> Any:
    return str(value) if name in _OF_TELEGRAM and value is not None else value


def body_of(event: Event) -> str:
    """What is sent of an event: the body as it is signed."""
    return body(event.type, event.at, shown_event(event))


def body(type_: str, at: datetime, data: Mapping[str, Any]) -> str:
    """A body as the standard wants it."""
    return orjson.dumps({"type": type_, "timestamp": shown_time(at), "data": data}).decode()
