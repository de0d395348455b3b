"""Reading the record of changes: all of it for the operator of the installation, and for customers their own.

See docs/sync.md.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select

from botyard.accounts.access import Actor, NotAllowed, tenant_session
from botyard.accounts.roles import Role
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


@dataclass(frozen=True, slots=True)
class EntriesWanted:
    """Which changes somebody wants to see.

    Args:
        customer_id: whose.
        bot_id: of this bot.
        actor: by whom, as ``person:4``, ``cli:anna`` or ``botyard``.
        entity: of what: a row, as ``bots:12``, or a whole table, as ``bots``.
        action: ``created``, ``updated`` or ``deleted``.
        since: not before.
        until: before.
        among: only of these bots.
    """

    customer_id: int | None = None
    bot_id: int | None = None
    actor: str | None = None
    entity: str | None = None
    action: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    among: Collection[int] | None = None


def entries(wanted: EntriesWanted, limit: int, before: int | None = None) -> list[Entry]:
    """The latest changes of all customers and of the installation, the latest first; for superadmins.

    Args:
        wanted: which.
        limit: how many at most.
        before: only those with a lower number.
    """
    with get_sessions("system")() as session:
        return [_entry(row) for row in session.scalars(_query(wanted, limit, before))]


def entries_for(actor: Actor, wanted: EntriesWanted, limit: int, before: int | None = None) -> list[Entry]:
    """The same for somebody, as far as they may see it: for the customers whose manager they are.

    Raises:
        NotAllowed: they are no manager.
    """
    if actor.superadmin:
        return entries(wanted, limit, before)
    own = [customer_id for customer_id in actor.customers if actor.roles[customer_id] >= Role.MANAGER]
    if not own:
        raise NotAllowed(str(Role.MANAGER))
    found: list[Entry] = []
    for customer_id in own:
        if wanted.customer_id in (None, customer_id):
            with tenant_session(customer_id) as session:
                found += [_entry(row) for row in session.scalars(_query(wanted, limit, before))]
    return sorted(found, key=lambda entry: -entry.id)[:limit]


def _query(wanted: EntriesWanted, limit: int, before: int | None) -> Select[Any]:
    query = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(limit)
    for column, value in (
        (AuditEntry.customer_id, wanted.customer_id), (AuditEntry.bot_id, wanted.bot_id),
        (AuditEntry.actor, wanted.actor), (AuditEntry.action, wanted.action),
    ):  # fmt: skip
        if value is not None:
            query = query.where(column == value)
    if wanted.entity is not None:
        whole = ":" not in wanted.entity
        exact = AuditEntry.entity == wanted.entity
        query = query.where(AuditEntry.entity.startswith(f"{wanted.entity}:", autoescape=True) if whole else exact)
    if wanted.among is not None:
        query = query.where(AuditEntry.bot_id.in_(sorted(wanted.among)))
    if wanted.since is not None:
        query = query.where(AuditEntry.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(AuditEntry.at < wanted.until)
    return query if before is None else query.where(AuditEntry.id < before)


def _entry(row: AuditEntry) -> Entry:
    return Entry(row.id, row.at, row.customer_id, row.bot_id, row.actor, row.action, row.entity, row.before, row.after)
