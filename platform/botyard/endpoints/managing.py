"""Endpoints are made, changed and removed; whoever calls this has checked the right to.

They work as the system role: the application role only reads endpoints. Nothing that is sealed is opened here.
"""

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, TypedDict

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.orm import Session

from botyard.accounts.access import NotFound
from botyard.endpoints.settled import NOW_SQL
from botyard.errors import InputError, Stale
from botyard.events import event_types
from botyard.outbound_http import Allowed, check_address
from botyard.settings import get_settings
from botyard.vault.sealed import ENDPOINT
from botyard.vault.sealing import seal
from db.claims import took_effect
from db.engine import get_sessions, storable
from db.models import Bot, Customer, Endpoint, EndpointSecret

MOST: Final = 20
"""So many a customer has at most."""
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - how each of them begins
_SECRET_BYTES: Final = 32
_BOTH_VALID: Final = timedelta(hours=24)
_LONGEST_DESCRIPTION: Final = 500


@dataclass(frozen=True, slots=True)
class NewEndpoint:
    """An endpoint to be made.

    Args:
        url: where it is.
        description: in its owner's words.
        types: of events; none: all but the frequent ones (`botyard.events.FREQUENT`).
        bots: only of these; none: of all.
    """

    url: str
    description: str | None = None
    types: Sequence[str] | None = None
    bots: Sequence[int] | None = None


class Changes(TypedDict, total=False):
    """What is to be changed of an endpoint: what is not there stays."""

    url: str
    description: str | None
    types: Sequence[str] | None
    bots: Sequence[int] | None
    status: Literal["active", "disabled"]


@dataclass(frozen=True, slots=True)
class WithSecret:
    """An endpoint, and its new secret, which is shown this once."""

    endpoint: Endpoint
    secret: str = field(repr=False)


def add_endpoint(customer_id: int, new: NewEndpoint) -> WithSecret:
    """Make an endpoint. It gets what happens from now on.

    Raises:
        InputError: the address may not be called, a type or a bot is not known, or there are too many.
    """
    changes: Changes = {"url": new.url, "description": new.description, "types": new.types, "bots": new.bots}
    _check_url(new.url, customer_id)
    with get_sessions("system").begin() as session:
        # No other one is made meanwhile.
        if session.get(Customer, customer_id, with_for_update={"key_share": True}) is None:
            raise NotFound
        if (session.scalar(select(func.count()).where(Endpoint.customer_id == customer_id)) or 0) >= MOST:
            raise InputError("customer", f"has {MOST} endpoints already.", "Remove one, or let one take more types.")
        endpoint = Endpoint(customer_id=customer_id, status="active", version=1, **_fit(session, customer_id, changes))
        session.add(endpoint)
        session.flush()
        _from_now_on(session, endpoint.id)
        secret = _give_secret(session, endpoint)
        took_effect(session, endpoint=endpoint.id)
        session.refresh(endpoint)
    return WithSecret(endpoint, secret)


def change_endpoint(endpoint_id: int, changes: Changes, expected: int | None = None) -> Endpoint:
    """Change what is named. One that is switched on again gets what happens from now on.

    Args:
        endpoint_id: which one.
        changes: the new values.
        expected: the version that was seen; none: whichever it is.

    Raises:
        Stale: it has another version.
        InputError: see `add_endpoint`.
        NotFound: it is gone.
    """
    if "url" in changes:
        _check_url(changes["url"], _customer_of(endpoint_id))
    with get_sessions("system").begin() as session:
        endpoint = _locked(session, endpoint_id, expected)
        wanted = _fit(session, endpoint.customer_id, changes)
        status = changes.get("status", endpoint.status)
        if status != endpoint.status:
            wanted |= {"status": status, "status_reason": None, "failing_since": None}
            if status == "active":
                _from_now_on(session, endpoint_id)
        changed = {name: value for name, value in wanted.items() if getattr(endpoint, name) != value}
        for name, value in changed.items():
            setattr(endpoint, name, value)
        endpoint.version += bool(changed)
        session.flush()
        session.refresh(endpoint)
    return endpoint


def remove_endpoint(endpoint_id: int, expected: int | None = None) -> None:
    """Remove an endpoint with all that was sent to it.

    Raises:
        Stale: it has another version than was seen.
        NotFound: it is gone.
    """
    with get_sessions("system").begin() as session:
        session.delete(_locked(session, endpoint_id, expected))


def rotate_secret(endpoint_id: int) -> WithSecret:
    """Give it another secret; for a day what is sent carries the signatures of both.

    Raises:
        NotFound: it is gone.
    """
    with get_sessions("system").begin() as session:
        endpoint = _locked(session, endpoint_id, None)
        session.execute(delete(EndpointSecret).where(*_secret(endpoint_id, "previous")))
        expires = datetime.now(UTC) + _BOTH_VALID
        named = update(EndpointSecret).where(*_secret(endpoint_id, "current"))
        session.execute(named.values(name="previous", expires_at=expires))
        secret = _give_secret(session, endpoint)
        endpoint.version += 1
        took_effect(session, endpoint=endpoint_id)
        session.flush()
        session.refresh(endpoint)
    return WithSecret(endpoint, secret)


def _secret(endpoint_id: int, name: str) -> tuple[Any, ...]:
    return EndpointSecret.endpoint_id == endpoint_id, EndpointSecret.name == name


def _locked(session: Session, endpoint_id: int, expected: int | None) -> Endpoint:
    endpoint = session.get(Endpoint, endpoint_id, with_for_update={"key_share": True}, populate_existing=True)
    if endpoint is None:
        raise NotFound
    if expected is not None and endpoint.version != expected:
        raise Stale(endpoint.version)
    return endpoint


def _give_secret(session: Session, endpoint: Endpoint) -> str:
    secret = SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
    sealed, key_id = seal(endpoint.id, ENDPOINT, secret)
    session.add(
        EndpointSecret(
            endpoint_id=endpoint.id, name="current", customer_id=endpoint.customer_id, sealed=sealed, key_id=key_id
        )
    )
    return secret


def _from_now_on(session: Session, endpoint_id: int) -> None:
    """What runs now and is committed later is still to come."""
    session.execute(text(f"UPDATE endpoints SET {NOW_SQL} WHERE id = :id"), {"id": endpoint_id})  # noqa: S608


def _check_url(url: str, customer_id: int) -> None:
    check_address(url, Allowed.of(get_settings().outbound_allowed), whose=f"customer:{customer_id}")


def _customer_of(endpoint_id: int) -> int:
    with get_sessions("system")() as session:
        endpoint = session.get(Endpoint, endpoint_id)
    if endpoint is None:
        raise NotFound
    return endpoint.customer_id


def _fit(session: Session, customer_id: int, changes: Changes) -> dict[str, Any]:
    """The values as they are kept.

    Raises:
        InputError: one of them does not fit.
    """
    fit: dict[str, Any] = {}
    if "url" in changes:
        fit["url"] = changes["url"]
    if "description" in changes:
        fit["description"] = _fit_description(changes["description"])
    if "types" in changes:
        fit["types"] = _fit_types(changes["types"])
    if "bots" in changes:
        fit["bots"] = _fit_bots(session, customer_id, changes["bots"])
    return fit


def _fit_description(description: str | None) -> str | None:
    if description is None:
        return None
    fit = storable(description).strip()
    if len(fit) > _LONGEST_DESCRIPTION:
        raise InputError("description", f"has more than {_LONGEST_DESCRIPTION} characters.")
    return fit or None


def _fit_types(types: Sequence[str] | None) -> list[str] | None:
    if types is None:
        return None
    known = event_types()
    if not types or (unknown := sorted(set(types) - known)):
        problem = f"has {unknown[0]!r}, which is no type of event." if types else "names no type."
        raise InputError("types", problem, f"Choose from: {', '.join(sorted(known))}; null: all but the frequent ones.")
    return sorted(set(types))


def _fit_bots(session: Session, customer_id: int, bots: Sequence[int] | None) -> list[int] | None:
    if bots is None:
        return None
    known = set(session.scalars(select(Bot.id).where(Bot.customer_id == customer_id, Bot.id.in_(list(bots)))))
    if not bots or set(bots) - known:
        raise InputError("bots", "names no bot, or one that is not there.", "null: all bots.")
    return sorted(known)
