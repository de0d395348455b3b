"""Endpoints and what was sent to them, for somebody who may look; read as the tenants whose they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select

from botyard.accounts.access import Actor, NotFound, customer_for, tenant_session
from botyard.accounts.roles import Role
from db.engine import get_sessions
from db.models import Endpoint, EndpointAttempt, EndpointMessage

STATES: Final = ("waiting", "delivered", "failed", "discarded")
_LARGEST_ID: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class WithAttempts:
    """A message, and every attempt to deliver it."""

    message: EndpointMessage
    attempts: Sequence[EndpointAttempt]


def endpoint_for(actor: Actor, endpoint_id: int, *, needs: Role) -> Endpoint:
    """An endpoint, for somebody who may do that much for its customer.

    A key that is bound to bots reaches only endpoints that are bound to these.

    Raises:
        NotFound: there is none, or it is not theirs.
        Suspended: it is theirs, and its customer is suspended.
        NotAllowed: it is theirs, and their role does not suffice.
    """
    if not 0 < endpoint_id <= _LARGEST_ID:
        raise NotFound
    for customer_id in _places_of(actor, endpoint_id):
        with tenant_session(customer_id) as session:
            endpoint = session.get(Endpoint, endpoint_id)
        if endpoint is not None and _within(actor, endpoint):
            customer_for(actor, customer_id, needs=needs)
            return endpoint
    raise NotFound


def endpoints_of(actor: Actor, customer_id: int, after: int, limit: int) -> list[Endpoint]:
    """The endpoints of a customer that somebody reaches; who calls it has checked their role."""
    query = select(Endpoint).where(Endpoint.customer_id == customer_id, Endpoint.id > after).order_by(Endpoint.id)
    with tenant_session(customer_id) as session:
        return [endpoint for endpoint in session.scalars(query) if _within(actor, endpoint)][:limit]


def messages_of(endpoint: Endpoint, before: int | None, state: str | None, limit: int) -> list[EndpointMessage]:
    """What was and is to be sent to an endpoint, the latest first."""
    query = select(EndpointMessage).where(EndpointMessage.endpoint_id == endpoint.id)
    if before is not None:
        query = query.where(EndpointMessage.id < before)
    if state is not None:
        query = query.where(EndpointMessage.state == state)
    with tenant_session(endpoint.customer_id) as session:
        return list(session.scalars(query.order_by(EndpointMessage.id.desc()).limit(limit)))


def message_of(endpoint: Endpoint, message_id: int) -> WithAttempts:
    """One message, with its attempts.

    Raises:
        NotFound: the endpoint has none of this number.
    """
    attempts = select(EndpointAttempt).where(EndpointAttempt.message_id == message_id).order_by(EndpointAttempt.id)
    with tenant_session(endpoint.customer_id) as session:
        message = session.get(EndpointMessage, message_id)
        if message is None or message.endpoint_id != endpoint.id:
            raise NotFound
        return WithAttempts(message, list(session.scalars(attempts)))


def message_for(actor: Actor, message_id: int, *, needs: Role) -> EndpointMessage:
    """A message, for somebody who may do that much for its customer.

    Raises:
        AccessError: see `endpoint_for`.
    """
    with get_sessions("system")() as session:
        message = session.get(EndpointMessage, message_id)
    if message is None:
        raise NotFound
    return message_of(endpoint_for(actor, message.endpoint_id, needs=needs), message_id).message


def all_endpoints(customer_id: int | None) -> list[Endpoint]:
    """Every endpoint, or those of one customer; for the operator of the installation."""
    query = select(Endpoint).order_by(Endpoint.id)
    if customer_id is not None:
        query = query.where(Endpoint.customer_id == customer_id)
    with get_sessions("system")() as session:
        return list(session.scalars(query))


def endpoint_of_id(endpoint_id: int) -> Endpoint:
    """An endpoint; for the operator of the installation.

    Raises:
        NotFound: there is none.
    """
    with get_sessions("system")() as session:
        endpoint = session.get(Endpoint, endpoint_id) if 0 < endpoint_id <= _LARGEST_ID else None
    if endpoint is None:
        raise NotFound
    return endpoint


def _places_of(actor: Actor, endpoint_id: int) -> list[int]:
    """Where to look: a superadmin is told, others look through what is theirs."""
    if not actor.superadmin:
        return sorted(actor.roles)
    try:
        return [endpoint_of_id(endpoint_id).customer_id]
    except NotFound:
        return []


def _within(actor: Actor, endpoint: Endpoint) -> bool:
    return actor.bots is None or (endpoint.bots is not None and set(endpoint.bots) <= actor.bots)
