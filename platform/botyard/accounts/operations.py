"""The operations that somebody may see and end; read as the tenants whose they are."""

from dataclasses import replace
from typing import Final

from botyard.accounts.access import Actor, NotFound, customer_for, tenant_session
from botyard.accounts.roles import Role
from botyard.operations import reading
from botyard.operations.ending import cancel
from botyard.operations.reading import Filter
from db.models import Operation

_LARGEST_ID: Final = 2**63 - 1


def operation_for(actor: Actor, number: int, *, needs: Role = Role.VIEWER) -> Operation:
    """An operation, for somebody who may do that much for its customer.

    Raises:
        NotFound: there is none, or it is not theirs.
        Suspended: it is theirs, and its customer is suspended.
        NotAllowed: it is theirs, and their role does not suffice.
    """
    found = _found(actor, number) if 0 < number <= _LARGEST_ID else None
    if found is None or (actor.bots is not None and found.bot_id not in actor.bots):
        raise NotFound
    if not actor.superadmin:
        if found.customer_id is None:
            raise NotFound
        customer_for(actor, found.customer_id, needs=needs)
    return found


def operations_of(actor: Actor, chosen: Filter, limit: int) -> list[Operation]:
    """Those that somebody may see, the latest first."""
    if actor.bots is not None:
        chosen = replace(chosen, bots=actor.bots)
    if actor.superadmin:
        return reading.latest(chosen, limit)
    found: list[Operation] = []
    for customer_id in actor.customers:
        if chosen.customer_id in (None, customer_id):
            with tenant_session(customer_id) as session:
                found += session.scalars(reading.query(chosen, limit))
    return sorted(found, key=lambda one: one.id, reverse=True)[:limit]


def cancel_operation(actor: Actor, number: int, expected: int | None) -> Operation:
    """End an operation: one's own needs an operator, another's a manager.

    Raises:
        AccessError: see `operation_for`.
        Stale: it was changed since its version was seen.
    """
    found = operation_for(actor, number, needs=Role.OPERATOR)
    if found.actor != f"person:{actor.person_id}":
        operation_for(actor, number, needs=Role.MANAGER)
    return cancel(found.id, expected)


def _found(actor: Actor, number: int) -> Operation | None:
    if actor.superadmin:
        return reading.operation(number)
    for customer_id in sorted(actor.roles):
        with tenant_session(customer_id) as session:
            found = session.get(Operation, number)
        if found is not None:
            return found
    return None
