"""Who acts for a customer, and as what. See docs/access.md."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import any_, func, or_, select
from sqlalchemy.orm import Session

from botyard.accounts.access import Actor, NotAllowed, NotFound
from botyard.accounts.keys import check_endless
from botyard.accounts.roles import Role
from botyard.accounts.withdrawing import withdraw_unused
from botyard.errors import InputError, Stale
from db.engine import get_sessions
from db.models import AccessToken, Bot, Customer, Invitation, Membership, Person


@dataclass(frozen=True, slots=True)
class MemberLine:
    """Somebody who acts for a customer."""

    person_id: int
    name: str
    role: Role
    since: datetime
    version: int


def members_of(customer_id: int, *, after: int = 0, limit: int | None = None) -> list[MemberLine]:
    """Who acts for a customer, in the order of their numbers; whoever calls it has checked the right to.

    Args:
        customer_id: for whom.
        after: the number behind which to begin.
        limit: how many at most; none: all.
    """
    query = _members(customer_id).where(Person.id > after).order_by(Person.id).limit(limit)
    with get_sessions("system")() as session:
        return [_line(membership, name) for membership, name in session.execute(query)]


def member_of(customer_id: int, person_id: int) -> MemberLine:
    """One of them.

    Raises:
        NotFound: they do not act for this customer.
    """
    with get_sessions("system")() as session:
        found = session.execute(_members(customer_id).where(Person.id == person_id)).first()
    if found is None:
        raise NotFound
    return _line(*found)


def member_named(customer_id: int, name: str) -> MemberLine:
    """The one of this name, for the command line.

    Raises:
        InputError: nobody of this name acts for this customer.
    """
    found = next((member for member in members_of(customer_id) if member.name == name), None)
    if found is None:
        raise InputError("person", f"nobody called {name!r} acts for this customer.", "See `botyard member list`.")
    return found


def change_role(actor: Actor | None, customer_id: int, person_id: int, role: Role, expected: int | None) -> None:
    """Let somebody act as something else. If that is less, the invitations that they made are withdrawn.

    Args:
        actor: who asks, and has been found to be an owner; none: the operator of the installation.
        customer_id: for whom.
        person_id: whose role.
        role: the new one.
        expected: the version that was seen; none: whichever.

    Raises:
        NotFound: they do not act for this customer.
        NotAllowed: it is above the actor's own role.
        InputError: the customer would have no owner left, or it is more with a key that is limited.
        Stale: it was changed since.
    """
    check_not_above(actor, customer_id, role)
    with get_sessions("system").begin() as session:
        membership = _locked(session, customer_id, person_id, expected)
        before = Role.named(membership.role)
        if before < role:
            check_endless(actor)
        elif role < before:
            _keep_an_owner(session, actor, membership)
            _withdraw_invitations(session, membership)
        if role != before:
            membership.role, membership.version = str(role), membership.version + 1


def remove_member(actor: Actor | None, customer_id: int, person_id: int, expected: int | None) -> None:
    """Let somebody act for a customer no more; their keys for it and their invitations to it go with them.

    Raises:
        NotFound: they do not act for it.
        InputError: the customer would have no owner left.
        Stale: it was changed since.
    """
    with get_sessions("system").begin() as session:
        membership = _locked(session, customer_id, person_id, expected)
        _keep_an_owner(session, actor, membership)
        _revoke_keys(session, membership)
        _withdraw_invitations(session, membership)
        session.delete(membership)


def join(session: Session, person_id: int, customer_id: int, role: Role) -> None:
    """Let somebody act for a customer, in the caller's transaction; a higher role that they have stays."""
    membership = session.get(Membership, (person_id, customer_id), with_for_update=True)
    if membership is None:
        session.add(Membership(person_id=person_id, customer_id=customer_id, role=str(role)))
    elif Role.named(membership.role) < role:
        membership.role, membership.version = str(role), membership.version + 1
    session.flush()


def check_not_above(actor: Actor | None, customer_id: int, role: Role) -> None:
    """Go on only if somebody has a role for this customer that is not below this one.

    Raises:
        NotAllowed: theirs is lower.
    """
    if actor is not None and not actor.superadmin and actor.roles[customer_id] < role:
        raise NotAllowed(str(role))


def lock_customer(session: Session, customer_id: int) -> Customer:
    """A customer whose people are being changed: one change after the other.

    Raises:
        NotFound: it is gone.
    """
    customer = session.get(Customer, customer_id, with_for_update={"key_share": True})
    if customer is None:
        raise NotFound
    return customer


def _members(customer_id: int) -> Any:
    joined = select(Membership, Person.name).join(Person, Person.id == Membership.person_id)
    return joined.where(Membership.customer_id == customer_id)


def _line(membership: Membership, name: str) -> MemberLine:
    role = Role.named(membership.role)
    return MemberLine(membership.person_id, name, role, membership.created_at, membership.version)


def _locked(session: Session, customer_id: int, person_id: int, expected: int | None) -> Membership:
    lock_customer(session, customer_id)
    membership = session.get(Membership, (person_id, customer_id), with_for_update=True)
    if membership is None:
        raise NotFound
    if expected is not None and expected != membership.version:
        raise Stale(membership.version)
    return membership


def _revoke_keys(session: Session, membership: Membership) -> None:
    """Those for the customer or its bots: they would come to life again if this person were invited again."""
    of_its_bots = select(Bot.id).where(
        Bot.customer_id == membership.customer_id, Bot.id == any_(AccessToken.bots)
    ).exists()  # fmt: skip
    own = select(AccessToken).where(
        AccessToken.person_id == membership.person_id,
        or_(AccessToken.customer_id == membership.customer_id, of_its_bots),
        AccessToken.revoked_at.is_(None),
    )
    for key in session.scalars(own.with_for_update(of=AccessToken)):
        key.revoked_at = datetime.now(UTC)


def _withdraw_invitations(session: Session, membership: Membership) -> None:
    """They would come back with one of their own."""
    withdraw_unused(
        session, Invitation.invited_by == membership.person_id, Invitation.customer_id == membership.customer_id
    )


def _keep_an_owner(session: Session, actor: Actor | None, membership: Membership) -> None:
    """Only who acts for the installation may leave a customer to nobody."""
    if actor is None or actor.superadmin or membership.role != str(Role.OWNER):
        return
    owners = select(func.count()).where(
        Membership.customer_id == membership.customer_id, Membership.role == str(Role.OWNER)
    )
    if session.scalars(owners).one() <= 1:
        raise InputError("role", "this is the last owner.", "Make somebody else an owner first.")
