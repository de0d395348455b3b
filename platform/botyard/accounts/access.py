"""The one place where somebody's right to an object is checked: whatever a customer reaches is loaded here.

What belongs to somebody else is not found, as if it did not exist: the same error, in the same words, after the same
work. Objects are read as the application role with the tenant set, so row-level security decides a second time.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from botyard.accounts import services
from botyard.accounts.records import Bearer
from botyard.accounts.roles import Role
from botyard.accounts.scopes import Scope
from botyard.errors import PermanentError
from db.engine import get_sessions
from db.models import Bot, Customer

_LARGEST_ID: Final = 2**63 - 1


class AccessError(PermanentError):
    """Somebody may not do what they ask for."""


class NotSignedIn(AccessError):
    """No token was shown, or one that is unknown, expired or revoked: which of these is not told."""

    def __init__(self) -> None:
        super().__init__("There is no valid bearer token with the request.")


class NotFound(AccessError):
    """There is no such object, or none that they may know of: which of these is not told."""

    def __init__(self) -> None:
        super().__init__("There is no such object.")


class NotAllowed(AccessError):
    """The object is theirs, but their role does not suffice.

    Args:
        needs: what would suffice.
    """

    def __init__(self, needs: str) -> None:
        super().__init__(needs)
        self.needs = needs

    def __str__(self) -> str:
        return f"This needs the role {self.needs}."


class OutOfScope(AccessError):
    """They may, but not with this API key.

    Args:
        needs: the scope that would suffice.
    """

    def __init__(self, needs: Scope) -> None:
        super().__init__(needs)
        self.needs = needs

    def __str__(self) -> str:
        return f"This API key lacks the scope {self.needs}."


class Suspended(AccessError):
    """The customer for whom they act is suspended."""

    def __init__(self) -> None:
        super().__init__("This customer is suspended. Its bots are switched off; the operator can resume it.")


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who is signed in, and what they may do.

    Args:
        person_id: who.
        name: what they are called.
        superadmin: whether they may do everything, for every customer.
        roles: what they may do, by customer.
        suspended: those of these customers that are suspended.
        scopes: of their API key; none: whatever they may.
        bots: of their API key; none: every bot of their customers.
        key_id: their API key.
        sign_in_id: their sign-in, if they have no API key.
    """

    person_id: int
    name: str
    superadmin: bool
    roles: Mapping[int, Role]
    suspended: frozenset[int] = frozenset()
    scopes: frozenset[Scope] | None = None
    bots: frozenset[int] | None = None
    key_id: int | None = None
    sign_in_id: int | None = None

    @property
    def customers(self) -> list[int]:
        """The customers for whom they can act now."""
        return sorted(set(self.roles) - self.suspended)


def actor_of(bearer: str | None) -> Actor:
    """Who shows this token. Asked anew for each request: what is revoked is refused from then on.

    Raises:
        NotSignedIn: nobody does.
    """
    found = services.find_bearer(bearer) if bearer else None
    if found is None:
        raise NotSignedIn
    return _limited(found)


def _limited(found: Bearer) -> Actor:
    """What a key leaves of its person's rights. A superadmin's key for one customer is that of an owner."""
    roles = {member.customer_id: member.role for member in found.memberships}
    suspended = frozenset(member.customer_id for member in found.memberships if member.suspended)
    superadmin = found.superadmin
    if found.customer_id is not None:
        roles = {found.customer_id: Role.OWNER if superadmin else roles[found.customer_id]} if (
            superadmin or found.customer_id in roles
        ) else {}  # fmt: skip
        superadmin = False
    return Actor(
        found.person_id, found.name, superadmin, MappingProxyType(roles), suspended & roles.keys(), found.scopes,
        found.bots, found.key_id, found.sign_in_id,
    )  # fmt: skip


@contextmanager
def tenant_session(customer_id: int) -> Iterator[Session]:
    """A transaction that sees the rows of one customer and no others; committed at the end of the block."""
    with get_sessions("application").begin() as session:
        # For this transaction only: the connection goes back to the pool as nobody's.
        session.execute(select(func.set_config("app.tenant", str(customer_id), True)))
        yield session


def customer_for(actor: Actor, customer_id: int, *, needs: Role) -> Customer:
    """A customer, for somebody who may do that much for it.

    Raises:
        NotFound: there is none, or it is not theirs.
        Suspended: it is theirs, and suspended; a superadmin gets it all the same.
        NotAllowed: it is theirs, and their role does not suffice.
    """
    # What is not theirs is told from their own rights alone: no work here depends on whether it exists.
    _check(actor, customer_id, needs)
    if not 0 < customer_id <= _LARGEST_ID:
        raise NotFound
    with tenant_session(customer_id) as session:
        customer = session.get(Customer, customer_id)
    if customer is None:
        raise NotFound
    return customer


def bot_for(actor: Actor, bot_id: int, *, needs: Role) -> Bot:
    """A bot, for somebody who may do that much for its customer.

    Raises:
        NotFound: there is none, or it is not theirs.
        Suspended: it is theirs, and its customer is suspended.
        NotAllowed: it is theirs, and their role does not suffice.
    """
    if not 0 < bot_id <= _LARGEST_ID or (actor.bots is not None and bot_id not in actor.bots):
        raise NotFound
    for customer_id in _places_of(actor, bot_id):
        with tenant_session(customer_id) as session:
            bot = session.get(Bot, bot_id)
        if bot is not None:
            _check(actor, customer_id, needs)
            return bot
    raise NotFound


def in_scope(actor: Actor, scope: Scope | None) -> None:
    """Go on only if their API key has this scope, if it has any.

    Raises:
        OutOfScope: it has not.
    """
    if actor.scopes is not None and scope is not None and scope not in actor.scopes:
        raise OutOfScope(scope)


def superadmin_only(actor: Actor) -> None:
    """Go on only for a superadmin, and not with a key for some bots: this is about the installation.

    Raises:
        NotAllowed: they are none, or their key is for some bots.
    """
    if not actor.superadmin or actor.bots is not None:
        raise NotAllowed("superadmin")


def _places_of(actor: Actor, bot_id: int) -> list[int]:
    """Where to look for a bot: a superadmin is told, others look through what is theirs."""
    if actor.superadmin:
        owner = services.customer_of_bot(bot_id)
        return [owner] if owner is not None else []
    return sorted(actor.roles)


def _check(actor: Actor, customer_id: int, needs: Role) -> None:
    if actor.superadmin:
        return
    role = actor.roles.get(customer_id)
    if role is None:
        raise NotFound
    if customer_id in actor.suspended:
        raise Suspended
    if role < needs:
        raise NotAllowed(str(needs))
