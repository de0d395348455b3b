"""Events in the order in which somebody can read on without ever missing one.

The numbers of rows are given before the commit: of two transactions that run at the same time, the one with the lower
numbers may be committed later. So events are ordered by the number of their transaction first, and only those are
settled whose transaction is older than every one that still runs: behind what was read nothing appears any more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import BigInteger, ColumnElement, Select, func, literal_column, select, tuple_

from botyard.accounts.access import tenant_session
from botyard.errors import InputError
from db.models import Event

OLDEST_RUNNING_SQL: Final = "pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
"""The oldest transaction that still runs, as the statement sees it in which this stands."""
NOW_SQL: Final = f"after_xid = {OLDEST_RUNNING_SQL} - 1, after_event = 9223372036854775807"
"""Sets an endpoint's place to now: what is committed from now on is behind it."""

Place = tuple[int, int]
"""Where an event stands: its transaction and its number."""

_XID: Final[ColumnElement[int]] = func.coalesce(Event.xid, literal_column("0"), type_=BigInteger)


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which events somebody wants.

    Args:
        bots: only of these; none: of all, and those of none.
        types: only of these; none: of all.
    """

    bots: frozenset[int] | None = None
    types: frozenset[str] | None = None


def settled_events(customer_id: int, after: Place | None, chosen: Chosen, limit: int) -> list[Event]:
    """The next events of a customer, in order; whoever calls it has checked the right to.

    Args:
        customer_id: whose.
        after: behind which place; none: from the first one on.
        chosen: which.
        limit: how many at most.
    """
    query = _query(customer_id, chosen)
    if after is not None:
        query = query.where(tuple_(_XID, Event.id) > tuple_(*after))
    with tenant_session(customer_id) as session:
        return list(session.scalars(query.order_by(_XID, Event.id).limit(limit)))


def latest_events(customer_id: int, chosen: Chosen, limit: int) -> list[Event]:
    """The last events of a customer, in order; whoever calls it has checked the right to."""
    query = _query(customer_id, chosen).order_by(_XID.desc(), Event.id.desc()).limit(limit)
    with tenant_session(customer_id) as session:
        return list(session.scalars(query))[::-1]


def _query(customer_id: int, chosen: Chosen) -> Select[Event]:
    query = select(Event).where(Event.customer_id == customer_id, literal_column(OLDEST_RUNNING_SQL) > _XID)
    if chosen.bots is not None:
        query = query.where(Event.bot_id.in_(chosen.bots))
    return query if chosen.types is None else query.where(Event.type.in_(chosen.types))


def place_of(event: Event) -> Place:
    """Where an event stands."""
    return event.xid or 0, event.id


def place_of_id(customer_id: int, event_id: int) -> Place:
    """Where the event of this number stands.

    Raises:
        InputError: the customer has no such event.
    """
    with tenant_session(customer_id) as session:
        found = session.get(Event, event_id)
    if found is None:
        raise InputError("after", "names no event of yours.", "Take the id of the last event that you have read.")
    return place_of(found)


def places(events: Sequence[Event]) -> Place | None:
    """The place of the last of some events."""
    return place_of(events[-1]) if events else None
