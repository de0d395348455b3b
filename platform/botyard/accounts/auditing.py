"""Reading the record of changes, for the operator of the installation. See docs/sync.md."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from db.engine import get_sessions
from db.models import AuditEntry


@dataclass(frozen=True, slots=True)
class Entry:
    """One change: who, what, from what to what; secrets stand there as ``***``."""

    id: int
    at: datetime
    customer_id: int | None
    bot_id: int | None
    actor: str
    action: str
    entity: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


def entries(bot_id: int | None, limit: int) -> list[Entry]:
    """The latest changes, the latest last.

    Args:
        bot_id: of this bot only; none: of everything.
        limit: how many at most.
    """
    query = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(limit)
    if bot_id is not None:
        query = query.where(AuditEntry.bot_id == bot_id)
    with get_sessions("system")() as session:
        found = list(session.scalars(query))
    return [
        Entry(row.id, row.at, row.customer_id, row.bot_id, row.actor, row.action, row.entity, row.before, row.after)
        for row in reversed(found)
    ]
