"""What the services of accounts give back: plain values that outlive their transaction."""

from dataclasses import dataclass, field
from datetime import datetime

from botyard.accounts.roles import Role
from botyard.accounts.scopes import Scope


@dataclass(frozen=True, slots=True)
class Member:
    """What somebody may do for one customer."""

    customer_id: int
    role: Role
    suspended: bool


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who shows a token, and to what the token limits them.

    Args:
        person_id: who.
        name: what they are called.
        superadmin: whether they may do everything.
        memberships: what they may do, for each of their customers.
        scopes: of the key; none: whatever they may.
        customer_id: of the key; none: every customer of theirs.
        bots: of the key; none: every bot of these.
        key_id: the row of the API key, if it is one.
        sign_in_id: the row of the sign-in, if it is an access token.
    """

    person_id: int
    name: str
    superadmin: bool
    memberships: tuple[Member, ...]
    scopes: frozenset[Scope] | None = None
    customer_id: int | None = None
    bots: frozenset[int] | None = None
    key_id: int | None = None
    sign_in_id: int | None = None


@dataclass(frozen=True, slots=True)
class TokenWanted:
    """A token to be made, and for whom.

    Args:
        name: of the person; who is not known yet becomes a superadmin if no customer is given.
        customer: the customer for whom they shall act, by username or number.
        role: as what.
        expires_days: after so many days it is refused; none: never.
    """

    name: str
    customer: str | None = None
    role: Role | None = None
    expires_days: int | None = None


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that was made; it is nowhere else."""

    id: int
    person: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class TokenLine:
    """One line of a list of tokens."""

    id: int
    person: str
    superadmin: bool
    customers: str
    """As ``acme (owner), other (viewer)``."""
    created: datetime
    expires: datetime | None
    revoked: datetime | None


@dataclass(frozen=True, slots=True)
class CustomerLine:
    """One line of a list of customers."""

    id: int
    username: str | None
    name: str
    status: str
    """``active``, ``suspended`` or ``removing``."""
    bots: int
    kept_until: datetime | None
    """Until then the removal can be taken back."""
