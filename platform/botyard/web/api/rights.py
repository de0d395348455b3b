"""Who may use a route. Each route says what it needs, or there is no application: nothing is open by default.

A role is needed for the object that the path names, or for one's own customer, and checked where that is loaded
(`botyard.accounts.access`): before that nobody is told whether it exists. The scope of an API key is checked at once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final, TypeVar

from fastapi import Depends, Request

from botyard.accounts.access import Actor, OutOfScope, Suspended, actor_of, in_scope, superadmin_only
from botyard.accounts.idempotency import Again
from botyard.accounts.roles import Role
from botyard.accounts.scopes import Scope

_NEEDS: Final = "__botyard_needs__"
_CREATES: Final = "__botyard_creates__"
_LONGEST_BEARER: Final = 4096

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


class Need(StrEnum):
    """What somebody must be to use a route, if it is not a role."""

    NOBODY = "nobody"
    """Strangers, too: said on purpose."""
    SIGNED_IN = "signed in"
    SUPERADMIN = "superadmin"


@dataclass(frozen=True, slots=True)
class Needs:
    """What a route needs.

    Args:
        who: what somebody must be, or the role that they must have.
        scope: what their API key must allow, if it has scopes.
    """

    who: Need | Role
    scope: Scope | None


@dataclass(frozen=True, slots=True)
class Creates:
    """That a route makes something, so its requests carry an ``Idempotency-Key``.

    Args:
        again: gives the answer anew from what was made.
        status: of the answer.
        secret: the first answer shows what is kept nowhere: a repetition gets what `again` gives.
    """

    again: Again
    status: int
    secret: bool


def needs(who: Need | Role, scope: Scope | None = None) -> Callable[[Endpoint], Endpoint]:
    """Say of an endpoint what it needs. Only what is open to all, and the source's own paths, need no scope.

    Those paths are closed to keys that are limited to scopes or bots.
    """

    def mark(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _NEEDS, Needs(who, scope))
        return endpoint

    return mark


def creates(again: Again, *, status: int = 201, secret: bool = False) -> Callable[[Endpoint], Endpoint]:
    """Say of an endpoint that it makes something; see `Creates`.

    Its service calls `db.claims.took_effect` in the transaction of what it makes; `again` is called with who asks and
    with these values by their names, and gives what the endpoint would.
    """

    def mark(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _CREATES, Creates(again, status, secret))
        return endpoint

    return mark


def needs_of(endpoint: Callable[..., Any]) -> Needs | None:
    """What an endpoint says that it needs."""
    found: Needs | None = getattr(endpoint, _NEEDS, None)
    return found


def creates_of(endpoint: Callable[..., Any]) -> Creates | None:
    """What an endpoint says that it makes."""
    found: Creates | None = getattr(endpoint, _CREATES, None)
    return found


def let_in(request: Request, needed: Needs, *, of_an_object: bool) -> Actor | None:
    """Who makes a request, if they may; none for what is open to strangers.

    Args:
        request: what shows the token.
        needed: what its route needs.
        of_an_object: its path names one: whether that exists is told to nobody but whose it is.

    Raises:
        AccessError: they may not.
    """
    bearer = bearer_of(request)
    if needed.who is Need.NOBODY:
        return None
    actor = actor_of(bearer)
    if needed.who is Need.SUPERADMIN and not of_an_object:
        superadmin_only(actor)
    if actor.roles and not actor.customers and not actor.superadmin:
        raise Suspended
    in_scope(actor, needed.scope)
    if needed.scope is None and (actor.scopes is not None or actor.bots is not None):
        # The older paths are about whole customers, and belong to no scope.
        raise OutOfScope(Scope.ACCOUNT_WRITE)
    return actor


def bearer_of(request: Request) -> str | None:
    """The bearer token of a request, if it shows one."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    token = token.strip()
    return token if scheme.lower() == "bearer" and 0 < len(token) <= _LONGEST_BEARER else None


def _signed_in(request: Request) -> Actor:
    actor: Actor = request.state.actor
    return actor


SignedIn = Annotated[Actor, Depends(_signed_in)]
"""Who makes the request."""
