"""API keys: what programs show. A key gives at most what its person may, within the limits of the key.

See docs/access.md. A key is shown once; `botyard.accounts.services.find_bearer` knows it again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from botyard.accounts.access import Actor, NotFound, bot_for, customer_for
from botyard.accounts.bearer import digest_of, fresh_key
from botyard.accounts.roles import Role
from botyard.accounts.scopes import Scope
from botyard.accounts.services import fit_name
from botyard.accounts.withdrawing import withdraw_unused
from botyard.bots.naming import find_bot
from botyard.errors import InputError
from db.claims import took_effect
from db.engine import get_sessions
from db.models import AccessToken, Invitation, Person

LONGEST_OVERLAP: Final = timedelta(days=30)
_MOST_KEYS: Final = 100
_MOST_BOTS: Final = 100
_OF_CUSTOMERS: Final = frozenset({Scope.ACCOUNT_READ, Scope.ACCOUNT_WRITE, Scope.KEYS_WRITE})
"""What concerns whole customers and people, and so is nothing for a key of some bots."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Within what a key gives the rights of its person.

    Args:
        scopes: which groups of acts; none: all.
        customer_id: for which customer; none: for each of theirs.
        bots: for which bots; none: for each of these customers.
        expires_at: until when; none: for ever.
    """

    scopes: frozenset[Scope] | None = None
    customer_id: int | None = None
    bots: frozenset[int] | None = None
    expires_at: datetime | None = None

    @classmethod
    def of(cls, key: AccessToken) -> "Limits":
        """Those of a key's row."""
        scopes = None if key.scopes is None else frozenset(scope for scope in Scope if scope in key.scopes)
        return cls(scopes, key.customer_id, None if key.bots is None else frozenset(key.bots), key.expires_at)

    def or_those_of(self, other: "Limits") -> "Limits":
        """With the other's limits wherever there are none."""
        return Limits(
            other.scopes if self.scopes is None else self.scopes,
            other.customer_id if self.customer_id is None else self.customer_id,
            other.bots if self.bots is None else self.bots,
            other.expires_at if self.expires_at is None else self.expires_at,
        )

    def beyond(self, other: "Limits") -> str | None:
        """In which respect they give more than the other; none: in no respect."""
        if other.scopes is not None and (self.scopes is None or self.scopes - other.scopes):
            return "scopes"
        if other.customer_id is not None and self.customer_id != other.customer_id:
            return "customer_id"
        if other.bots is not None and (self.bots is None or self.bots - other.bots):
            return "bots"
        if other.expires_at is not None and (self.expires_at is None or self.expires_at > other.expires_at):
            return "expires_days"
        return None


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was made, and its row."""

    row: AccessToken
    key: str = field(repr=False)


def expiry(days: int | None) -> datetime | None:
    """The moment after so many days; none: never."""
    return None if days is None else datetime.now(UTC) + timedelta(days=days)


def create_key(actor: Actor, name: str, limits: Limits) -> NewKey:
    """Make a key for somebody; made with another key, it gets the limits of that one where it has none.

    Raises:
        InputError: the name is none, a limit cannot be, or it would give more than the key with which it is made.
        AccessError: the customer, or one of the bots, is not theirs.
    """
    own = _own_limits(actor)
    wanted = limits.or_those_of(own)
    if (field_beyond := wanted.beyond(own)) is not None:
        raise InputError(field_beyond, "gives more than the key with which it is made.", "Sign in, and make it then.")
    _check(actor, wanted)
    return _make(actor.person_id, name, wanted)


def create_key_of(person: str, name: str, limits: Limits) -> NewKey:
    """Make a key for the person of this name: for the operator of the installation.

    Raises:
        InputError: there is no such person, the name is none, or a limit cannot be.
    """
    with get_sessions("system")() as session:
        found = session.scalars(select(Person.id).where(Person.name == person)).first()
    if found is None:
        raise InputError("person", f"there is nobody called {person!r}.", "See `botyard admin tokens`.")
    _check_scopes(limits)
    return _make(found, name, limits)


def rotate_key(actor: Actor, key_id: int, *, overlap: timedelta, expires_at: datetime | None) -> NewKey:
    """Make another key with the limits of this one, which is valid for a while more.

    Args:
        actor: whose it is.
        key_id: which key.
        overlap: how long the old one is valid from now; it does not outlive its own expiry.
        expires_at: until when the new one is valid; none: for as long from now as the old one was from its beginning.

    Raises:
        NotFound: there is no such key of theirs, or it is over.
        InputError: the new one would be valid for longer than the key with which it is made, the old one gives way
            already, or there are too many.
    """
    with get_sessions("system").begin() as session:
        old = _locked(session, actor, key_id)
        now = datetime.now(UTC)
        if old.revoked_at is not None or (old.expires_at is not None and old.expires_at <= now):
            raise NotFound
        if old.replaced_at is not None:
            raise InputError("key", "gives way to another one already.", "Rotate that one.")
        if expires_at is None and old.expires_at is not None:
            expires_at = now + (old.expires_at - old.created_at)
        limits = replace(Limits.of(old), expires_at=expires_at).or_those_of(_own_limits(actor))
        if (field_beyond := limits.beyond(_own_limits(actor))) is not None:
            raise InputError(field_beyond, "gives more than the key with which it is made.", "Sign in to rotate it.")
        old.replaced_at, ends = now, now + min(overlap, LONGEST_OVERLAP)
        old.expires_at = ends if old.expires_at is None else min(old.expires_at, ends)
        return _add(session, old.person_id, old.name, limits)


def keys_of(actor: Actor, *, before: int | None, limit: int) -> list[AccessToken]:
    """The keys of somebody that are valid, the latest first; with a key that is limited those within its limits.

    Args:
        actor: who.
        before: behind which one the list goes on; none: from the latest.
        limit: how many at most.
    """
    query = select(AccessToken).where(AccessToken.person_id == actor.person_id, _is_valid())
    if before is not None:
        query = query.where(AccessToken.id < before)
    own = _own_limits(actor)
    with get_sessions("system")() as session:
        found = session.scalars(query.order_by(AccessToken.id.desc()))
        return [key for key in found if _is_visible(key, own)][:limit]


def key_for(actor: Actor, key_id: int) -> AccessToken:
    """A key of somebody.

    Raises:
        NotFound: there is none of theirs, or it is beyond the limits of the key that they show.
    """
    with get_sessions("system")() as session:
        return _found(session.get(AccessToken, key_id), actor)


def revoke_key(actor: Actor, key_id: int) -> None:
    """Refuse a key from now on, and the invitations made with it. One that is revoked already stays so.

    Raises:
        NotFound: as `key_for`.
    """
    with get_sessions("system").begin() as session:
        key = _locked(session, actor, key_id)
        key.revoked_at = key.revoked_at or datetime.now(UTC)
        withdraw_unused(session, Invitation.key_id == key_id)


def check_whole(actor: Actor) -> None:
    """Go on only for somebody whose key, if they show one, is not limited to a customer or to bots.

    What concerns the person themselves (their name, password and sign-ins) reaches beyond these.

    Raises:
        InputError: it is limited.
    """
    own = _own_limits(actor)
    if own.customer_id is not None or own.bots is not None:
        raise InputError("key", "is for a customer or some bots, and this is about its person.", "Sign in for that.")


def check_endless(actor: Actor | None) -> None:
    """Go on only for somebody whose key, if they show one, has no scopes, no bots and no end.

    Whom it would give a role could do more than the key, and for longer.

    Args:
        actor: who; none: the operator of the installation.

    Raises:
        InputError: it has.
    """
    own = Limits() if actor is None else _own_limits(actor)
    if own.scopes is not None or own.bots is not None or own.expires_at is not None:
        remedy = "Sign in for that, or use a key that has none of these."
        raise InputError("key", "has scopes, bots or an end, and a role would give more than it.", remedy)


def numbers_of(bots: Iterable[str]) -> frozenset[int]:
    """The rows of the bots of these names: for the operator of the installation.

    Raises:
        InputError: there is no such bot.
    """
    with get_sessions("system")() as session:
        return frozenset(find_bot(session, name).id for name in bots)


def every_key() -> Sequence[tuple[AccessToken, str]]:
    """Every key that is valid, with its person's name: for the operator of the installation."""
    query = select(AccessToken, Person.name).join(Person, Person.id == AccessToken.person_id).where(_is_valid())
    with get_sessions("system")() as session:
        return [(key, name) for key, name in session.execute(query.order_by(AccessToken.id))]


def is_valid_key(session: Session, key_id: int) -> bool:
    """Whether a key is neither revoked nor over."""
    return session.scalars(select(AccessToken.id).where(AccessToken.id == key_id, _is_valid())).first() is not None


def _own_limits(actor: Actor) -> Limits:
    """Those of the key with which somebody asks; of a sign-in none."""
    if actor.key_id is None:
        return Limits()
    with get_sessions("system")() as session:
        key = session.get(AccessToken, actor.key_id)
    if key is None:
        raise NotFound
    return Limits.of(key)


def _is_visible(key: AccessToken, own: Limits) -> bool:
    """Whether a key is within the limits of the one that is shown; until when it is valid does not matter."""
    return replace(Limits.of(key), expires_at=None).beyond(replace(own, expires_at=None)) is None


def _found(key: AccessToken | None, actor: Actor) -> AccessToken:
    if key is None or key.person_id != actor.person_id or not _is_visible(key, _own_limits(actor)):
        raise NotFound
    return key


def _locked(session: Session, actor: Actor, key_id: int) -> AccessToken:
    return _found(session.get(AccessToken, key_id, with_for_update=True), actor)


def _check(actor: Actor, limits: Limits) -> None:
    _check_scopes(limits)
    if limits.customer_id is not None:
        customer_for(actor, limits.customer_id, needs=Role.VIEWER)
    for number in sorted(limits.bots or ()):
        bot = bot_for(actor, number, needs=Role.VIEWER)
        if limits.customer_id not in {None, bot.customer_id}:
            raise InputError("bots", "are not all of this customer.", "Name bots of the customer, or no customer.")


def _check_scopes(limits: Limits) -> None:
    if limits.scopes is not None and not limits.scopes:
        raise InputError("scopes", "are none.", "Leave them away for whatever you may, or name some.")
    if limits.bots is None:
        return
    if not 0 < len(limits.bots) <= _MOST_BOTS:
        raise InputError("bots", f"are none, or more than {_MOST_BOTS}.", "Leave them away for all of your bots.")
    if limits.scopes is None or limits.scopes & _OF_CUSTOMERS:
        beyond = ", ".join(sorted(_OF_CUSTOMERS))
        raise InputError("scopes", f"of a key for some bots must be named, and {beyond} are none of them.")


def _make(person_id: int, name: str, limits: Limits) -> NewKey:
    called = fit_name(name)
    with get_sessions("system").begin() as session:
        return _add(session, person_id, called, limits)


def _add(session: Session, person_id: int, name: str | None, limits: Limits) -> NewKey:
    # One after the other, so that nobody passes the count by asking many times at once.
    session.get(Person, person_id, with_for_update={"key_share": True})
    count = select(func.count()).where(AccessToken.person_id == person_id, _is_valid())
    if session.scalars(count).one() >= _MOST_KEYS:
        raise InputError("name", f"would be that of key {_MOST_KEYS + 1}.", "Revoke keys that are not used.")
    fresh = fresh_key()
    row = AccessToken(
        person_id=person_id, public_id=fresh.public_id, digest=digest_of(fresh.key), name=name,
        scopes=None if limits.scopes is None else sorted(limits.scopes), customer_id=limits.customer_id,
        bots=None if limits.bots is None else sorted(limits.bots), expires_at=limits.expires_at,
    )  # fmt: skip
    session.add(row)
    session.flush()
    session.refresh(row)
    took_effect(session, key=row.id)
    return NewKey(row, fresh.key)


def _is_valid() -> ColumnElement[bool]:
    return and_(
        AccessToken.revoked_at.is_(None), or_(AccessToken.expires_at.is_(None), AccessToken.expires_at > func.now())
    )
