"""Links that are valid once: for the first superadmin, for new members, for a forgotten password. See docs/access.md.

The code stands behind the ``#`` of the link: browsers send that to nobody, so it is in no log.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.orm import Session

from botyard.accounts import passwords
from botyard.accounts.access import Actor, NotFound
from botyard.accounts.bearer import digest_of, fresh_link_code
from botyard.accounts.keys import check_endless, is_valid_key
from botyard.accounts.members import check_not_above, join, lock_customer
from botyard.accounts.people import add_person, give_password, is_anybody_there
from botyard.accounts.roles import Role
from botyard.accounts.services import fit_name
from botyard.accounts.sign_ins import SignedIn, begin_sign_in
from botyard.accounts.tries import know_address
from botyard.errors import InputError
from botyard.settings import Settings
from db.acting import acting_as
from db.claims import took_effect
from db.engine import get_sessions
from db.models import Customer, Invitation, Membership, Person

PATH: Final = "/welcome"
_FIRST: Final = timedelta(minutes=15)
_PASSWORD: Final = timedelta(hours=1)
_MEMBER: Final = timedelta(hours=72)
_KEPT: Final = timedelta(days=30)
"""After their end."""
_MOST_OPEN: Final = 100
_ANY_NUMBER: Final = 0x62796172  # of the lock that whoever makes the first person holds

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class NewLink:
    """A link that was made; its code is nowhere else."""

    row: Invitation
    code: str = field(repr=False)

    def address(self, base: str) -> str:
        """The link itself, at this address of the installation."""
        return f"{base.rstrip('/')}{PATH}#{self.code}"


@dataclass(frozen=True, slots=True)
class Invited:
    """What a link is for.

    Args:
        purpose: ``first``, ``member`` or ``password``.
        person: whose password it sets; none: it makes somebody.
        customer: for whom they will act.
        role: as what.
        expires_at: until when it is valid.
    """

    purpose: str
    person: str | None
    customer: str | None
    role: str | None
    expires_at: datetime


def own_address(settings: Settings) -> str:
    """Where people reach this installation, as far as its settings tell."""
    if settings.public_url is not None:
        return settings.public_url
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.web_host, settings.web_host)  # noqa: S104 - compared
    return f"http://{host}:{settings.web_port}"


def first_link() -> NewLink | None:
    """A link that makes the first superadmin, valid for 15 minutes; none if there is somebody already.

    Earlier ones are no longer valid.
    """
    if is_anybody_there():
        return None
    with get_sessions("system").begin() as session:
        session.execute(delete(Invitation).where(Invitation.purpose == "first"))
        return _issue(session, Invitation(purpose="first"), _FIRST)


def password_link(name: str) -> NewLink:
    """A link with which this person sets a password, valid for an hour. Earlier ones are no longer valid.

    Raises:
        InputError: there is no such person.
    """
    with get_sessions("system").begin() as session:
        person = session.scalars(select(Person).where(Person.name == name)).first()
        if person is None:
            raise InputError("name", f"there is nobody called {name!r}.", "See `botyard admin tokens`.")
        session.execute(delete(Invitation).where(Invitation.person_id == person.id, Invitation.purpose == "password"))
        return _issue(session, Invitation(purpose="password", person_id=person.id), _PASSWORD)


def invite(actor: Actor | None, customer_id: int, role: Role) -> NewLink:
    """A link with which somebody becomes a member of a customer, valid for 72 hours.

    Args:
        actor: who asks, and has been found to be an owner; none: the operator of the installation.
        customer_id: of which customer.
        role: as what.

    Raises:
        NotAllowed: that role is above their own.
        InputError: too many invitations are open, or the actor's key is limited to scopes, to bots or in time.
        NotFound: the customer is gone.
    """
    check_endless(actor)
    check_not_above(actor, customer_id, role)
    with get_sessions("system").begin() as session:
        lock_customer(session, customer_id)
        open_now = select(func.count()).select_from(Invitation).where(*_open(customer_id))
        if session.scalars(open_now).one() >= _MOST_OPEN:
            raise InputError("role", f"{_MOST_OPEN} invitations are open.", "Withdraw some of them first.")
        row = Invitation(purpose="member", customer_id=customer_id, role=str(role))
        if actor is not None:
            row.invited_by, row.key_id = actor.person_id, actor.key_id
        return _issue(session, row, _MEMBER)


def invitations_of(customer_id: int) -> list[Invitation]:
    """The invitations of a customer that are open, the latest first; whoever calls it has checked the right to."""
    with get_sessions("system")() as session:
        return list(session.scalars(select(Invitation).where(*_open(customer_id)).order_by(Invitation.id.desc())))


def invitation_of(customer_id: int, invitation_id: int) -> Invitation:
    """One of them.

    Raises:
        NotFound: there is no such invitation that is open.
    """
    found = next((one for one in invitations_of(customer_id) if one.id == invitation_id), None)
    if found is None:
        raise NotFound
    return found


def invitation(invitation_id: int) -> Invitation:
    """An invitation of whichever customer, open or not; whoever calls it checks the right to.

    Raises:
        NotFound: there is none.
    """
    with get_sessions("system")() as session:
        row = session.get(Invitation, invitation_id)
    if row is None:
        raise NotFound
    return row


def withdraw(customer_id: int, invitation_id: int) -> None:
    """Let an invitation be valid no more.

    Raises:
        NotFound: as `invitation_of`.
    """
    with get_sessions("system").begin() as session:
        row = session.get(Invitation, invitation_id, with_for_update=True)
        if row is None or row.customer_id != customer_id or not _is_open(row):
            raise NotFound
        session.delete(row)


def invited_by(code: str) -> Invited:
    """What a link is for: for whoever has its code.

    Raises:
        InputError: it is not valid (any more).
    """
    with get_sessions("system")() as session:
        return _described(session, _valid(session, code))


def redeem(code: str, name: str | None, password: str, *, address: str, device: str | None) -> SignedIn:
    """Use a link: become somebody, or set one's password. Either way they are signed in.

    Args:
        code: of the link.
        name: what they want to be called, if it makes somebody.
        password: what they have chosen.
        address: from where.
        device: what their browser or program calls itself.

    Raises:
        InputError: the link is not valid (any more), or the name or the password is not fit.
        Taken: another person is called so.
        Busy: too many passwords are being hashed.
    """
    invited = invited_by(code)
    called = invited.person if invited.person is not None else fit_name(name or "")
    hashed = passwords.hash_password(passwords.fit_password(password, called))
    with get_sessions("system").begin() as session:
        row = _locked(session, code)
        row.used_at = datetime.now(UTC)
        with acting_as(f"invitation:{row.id}"):
            person = _person_of(session, row, called, hashed)
            if row.customer_id is not None and row.role is not None:
                join(session, person.id, row.customer_id, Role.named(row.role))
            begun = begin_sign_in(session, person.id, device)
    know_address(called, address)
    log.info("link_used", purpose=invited.purpose, person=begun.person_id)
    return begun


def accept(actor: Actor, code: str) -> int:
    """Become a member of a customer, as somebody who is signed in already.

    Returns:
        the customer.

    Raises:
        InputError: the link is not valid (any more), or not for that.
    """
    with get_sessions("system").begin() as session:
        row = _locked(session, code)
        if row.customer_id is None or row.role is None:
            raise _invalid()
        join(session, actor.person_id, row.customer_id, Role.named(row.role))
        row.used_at = datetime.now(UTC)
        took_effect(session, customer=row.customer_id)
        return row.customer_id


def _issue(session: Session, row: Invitation, lasts: timedelta) -> NewLink:
    now = datetime.now(UTC)
    # Not through the session: what is over long ago is no change to record.
    session.connection().execute(delete(Invitation).where(Invitation.expires_at < now - _KEPT))
    code = fresh_link_code()
    row.digest, row.expires_at = digest_of(code), now + lasts
    session.add(row)
    session.flush()
    session.refresh(row)
    took_effect(session, invitation=row.id)
    return NewLink(row, code)


def _person_of(session: Session, row: Invitation, called: str, hashed: str) -> Person:
    if row.person_id is None:
        if row.purpose == "first":
            _check_first(session)
        return add_person(session, called, hashed, superadmin=row.purpose == "first")
    person = session.get(Person, row.person_id, with_for_update={"key_share": True})
    if person is None:
        raise _invalid()
    give_password(session, person, hashed)
    return person


def _check_first(session: Session) -> None:
    """Two who use such links at the same moment do not both become the first."""
    session.execute(select(func.pg_advisory_xact_lock(_ANY_NUMBER)))
    if session.scalars(select(Person.id).limit(1)).first() is not None:
        raise _invalid()


def _locked(session: Session, code: str) -> Invitation:
    """A valid link that nobody else uses meanwhile; whom it is about is locked first, as by all who withdraw links."""
    row = _valid(session, code)
    if row.customer_id is not None:
        lock_customer(session, row.customer_id)
    if row.person_id is not None:
        session.get(Person, row.person_id, with_for_update={"key_share": True})
    return _valid(session, code, lock=True)


def _valid(session: Session, code: str, *, lock: bool = False) -> Invitation:
    query = select(Invitation).where(Invitation.digest == digest_of(code)).execution_options(populate_existing=True)
    row = session.scalars(query.with_for_update() if lock else query).first()
    if row is None or not _is_open(row) or not _may_invite(session, row):
        raise _invalid()
    return row


def _may_invite(session: Session, row: Invitation) -> bool:
    """Whether whoever made it could make it now; the operator of the installation always can."""
    if row.invited_by is None or row.customer_id is None:
        return True
    if row.key_id is not None and not is_valid_key(session, row.key_id):
        return False
    member = session.get(Membership, (row.invited_by, row.customer_id), populate_existing=True)
    is_owner = member is not None and member.role == str(Role.OWNER)
    return is_owner or session.get_one(Person, row.invited_by).superadmin


def _is_open(row: Invitation) -> bool:
    return row.used_at is None and row.expires_at > datetime.now(UTC)


def _open(customer_id: int) -> tuple[ColumnElement[bool], ...]:
    return (
        Invitation.customer_id == customer_id, Invitation.used_at.is_(None), Invitation.expires_at > datetime.now(UTC)
    )  # fmt: skip


def _described(session: Session, row: Invitation) -> Invited:
    if row.purpose == "first" and is_anybody_there():
        raise _invalid()
    person = None if row.person_id is None else session.get_one(Person, row.person_id).name
    customer = None if row.customer_id is None else session.get_one(Customer, row.customer_id).name
    return Invited(row.purpose, person, customer, row.role, row.expires_at)


def _invalid() -> InputError:
    return InputError("code", "is not valid: it was used or withdrawn, or is too old.", "Ask for a new link.")
