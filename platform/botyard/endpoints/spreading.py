"""From events to messages: each endpoint's place moves on over what is settled, and what it wants becomes a message.

Place and messages are written in one transaction, and no endpoint gets an event twice: whoever dies here, and however
many work side by side, nothing is lost and nothing is doubled.
"""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, text

from botyard.endpoints.bodies import body_of
from botyard.endpoints.settled import OLDEST_RUNNING_SQL
from botyard.events import FREQUENT
from db.engine import get_engine
from db.models import Event

_BATCH: Final = 500
_BEHIND: Final = """
SELECT e.id FROM endpoints e
  JOIN customers c ON c.id = e.customer_id AND c.status = 'active' AND c.removal_began IS NULL
 WHERE e.status = 'active' AND EXISTS (
       SELECT 1 FROM events v WHERE v.customer_id = e.customer_id
          AND (coalesce(v.xid, 0), v.id) > (e.after_xid, e.after_event))
 ORDER BY e.id
"""
# Whoever holds it does the same right now.
_LOCK: Final = """
SELECT id, customer_id, types, bots, after_xid, after_event FROM endpoints WHERE id = :id AND status = 'active'
   FOR NO KEY UPDATE SKIP LOCKED
"""
_NEXT: Final = f"""
SELECT id, customer_id, bot_id, type, data, at, coalesce(xid, 0) AS xid FROM events
 WHERE customer_id = :customer_id AND (coalesce(xid, 0), id) > (:after_xid, :after_event)
   AND coalesce(xid, 0) < {OLDEST_RUNNING_SQL}
 ORDER BY coalesce(xid, 0), id LIMIT {_BATCH}
"""  # noqa: S608
_INSERT: Final = """
INSERT INTO endpoint_messages (endpoint_id, customer_id, event_id, type, body)
SELECT :endpoint, :customer, x.* FROM unnest(
       cast(:events AS bigint[]), cast(:types AS text[]), cast(:bodies AS text[])) AS x(event, type, body)
    ON CONFLICT (endpoint_id, event_id) DO NOTHING
"""
_MOVE: Final = "UPDATE endpoints SET after_xid = :xid, after_event = :event WHERE id = :id"
# What waits for an endpoint that was switched off is not sent when somebody switches it on again a week later.
_DISCARD: Final = """
UPDATE endpoint_messages SET state = 'discarded', ended_at = now(), sending_until = NULL WHERE id IN (
    SELECT m.id FROM endpoints e JOIN endpoint_messages m ON m.endpoint_id = e.id AND m.state = 'waiting'
     WHERE e.status = 'disabled' LIMIT :batch FOR UPDATE OF m SKIP LOCKED)
"""


@dataclass(frozen=True, slots=True)
class Spread:
    """What became of the events.

    Args:
        seen: how many endpoints' events were looked at.
        unsettled: whether there are some that are not settled yet.
    """

    seen: int
    unsettled: bool


def spread_events() -> Spread:
    """Bring every endpoint one batch further."""
    with get_engine("system").connect() as connection:
        behind = list(connection.execute(text(_BEHIND)).scalars())
    seen = [_spread(endpoint_id) for endpoint_id in behind]
    return Spread(sum(seen), unsettled=0 in seen)


def discard_waiting() -> int:
    """End what waits for endpoints that are switched off, a batch of it; how much that was."""
    with get_engine("system").begin() as connection:
        return connection.execute(text(_DISCARD), {"batch": _BATCH}).rowcount


def _spread(endpoint_id: int) -> int:
    with get_engine("system").begin() as connection:
        endpoint = connection.execute(text(_LOCK), {"id": endpoint_id}).mappings().first()
        if endpoint is None:
            return 0
        rows = connection.execute(text(_NEXT), dict(endpoint)).mappings().all()
        if not rows:
            return 0
        events = [Event(**row) for row in rows]
        _insert(connection, endpoint, events)
        last = events[-1]
        connection.execute(text(_MOVE), {"id": endpoint_id, "xid": last.xid, "event": last.id})
    return len(events)


def _insert(connection: Connection, endpoint: Any, events: list[Event]) -> None:
    wanted = [event for event in events if _wants(endpoint, event)]
    columns = {
        "events": [event.id for event in wanted], "types": [event.type for event in wanted],
        "bodies": [body_of(event) for event in wanted],
    }  # fmt: skip
    if wanted:
        connection.execute(text(_INSERT), {"endpoint": endpoint["id"], "customer": endpoint["customer_id"], **columns})


def _wants(endpoint: Any, event: Event) -> bool:
    types, bots = endpoint["types"], endpoint["bots"]
    fits = event.type not in FREQUENT if types is None else event.type in types
    return fits and (bots is None or event.bot_id in bots)
