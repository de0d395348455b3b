"""People themselves: making them, their names and passwords. See docs/access.md."""

from dataclasses import dataclass

import structlog
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from botyard.accounts import passwords
from botyard.accounts.access import NotFound
from botyard.accounts.bearer import is_same
from botyard.accounts.customers import Taken
from botyard.accounts.roles import Role
from botyard.accounts.services import fit_name
from botyard.accounts.sign_ins import end_all
from botyard.accounts.tries import one_try
from botyard.accounts.withdrawing import withdraw_unused
from botyard.errors import InputError, Stale
from db.engine import get_sessions
from db.models import Customer, Invitation, Membership, Person

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """For which customer somebody acts, and as what."""

    customer_id: int
    username: str | None
    name: str
    role: Role
    suspended: bool


def person_and_places(person_id: int) -> tuple[Person, list[Place]]:
    """Somebody, and for whom they act.

    Raises:
        NotFound: they are gone.
    """
    query = (
        select(Customer, Membership.role)
        .join(Membership, Membership.customer_id == Customer.id)
        .where(Membership.person_id == person_id)
        .order_by(Customer.id)
    )
    with get_sessions("system")() as session:
        person = session.get(Person, person_id)
        if person is None:
            raise NotFound
        places = [
            Place(one.id, one.username, one.name, Role.named(role), one.status == "suspended")
            for one, role in session.execute(query)
        ]
    return person, places


def is_anybody_there() -> bool:
    """Whether there is a person at all; nobody is at the first start."""
    with get_sessions("system")() as session:
        return session.scalars(select(Person.id).limit(1)).first() is not None


def add_superadmin(name: str, password: str) -> Person:
    """Make somebody who may do everything.

    Raises:
        Taken: another person is called so.
        InputError: the name or the password is not fit.
    """
    called = fit_name(name)
    hashed = passwords.hash_password(passwords.fit_password(password, called))
    with get_sessions("system").begin() as session:
        return add_person(session, called, hashed, superadmin=True)


def add_person(session: Session, name: str, hashed: str, *, superadmin: bool) -> Person:
    """Make somebody, in the caller's transaction.

    Args:
        session: of the system role.
        name: what they are called, as `fit_name` gives it.
        hashed: of their password.
        superadmin: whether they may do everything.

    Raises:
        Taken: another person is called so.
    """
    person = Person(name=name, superadmin=superadmin)
    session.add(person)
    _flush_named(session, name)
    give_password(session, person, hashed)
    session.refresh(person)
    return person


def give_password(session: Session, person: Person, hashed: str) -> None:
    """Give somebody another password, in the caller's transaction.

    They are signed out everywhere, and open links to set a password are withdrawn.

    Args:
        session: of the system role.
        person: whose row the caller has locked, or just made.
        hashed: of the password.
    """
    person.password_hash = hashed
    person.password_since = session.scalars(select(func.now())).one()
    person.version = (person.version or 0) + 1
    session.flush()
    end_all(session, person.id, "the password was changed")
    withdraw_unused(session, Invitation.person_id == person.id, Invitation.purpose == "password")


def rename_person(person_id: int, name: str, expected: int | None) -> None:
    """Call somebody something else; they sign in with the new name.

    Raises:
        Taken: another person is called so.
        InputError: the name is none.
        Stale: they were changed since.
        NotFound: they are gone.
    """
    called = fit_name(name)
    with get_sessions("system").begin() as session:
        person = _locked(session, person_id)
        if expected is not None and expected != person.version:
            raise Stale(person.version)
        if person.name != called:
            person.name, person.version = called, person.version + 1
            _flush_named(session, called)


def change_password(person_id: int, old: str, new: str) -> None:
    """Give somebody another password, who knows the old one; they are signed out everywhere.

    Raises:
        InputError: the old one is wrong or there is none, or the new one is not fit.
        TooManyTries: the old one was wrong too often; nothing was compared.
        NotFound: they are gone.
    """
    person, _ = person_and_places(person_id)
    stored = person.password_hash
    if stored is None:
        raise InputError("old", "there is none yet.", "The operator makes a link to set one: `botyard admin link`.")
    fit = passwords.fit_password(new, person.name)
    # Whoever has stolen a token must not find the password with it.
    with one_try(f"password of {person_id}", None) as tried:
        if not passwords.is_password(stored, old):
            tried.wrong = True
            raise InputError("old", "is not your password.", "Type it again.")
        tried.right = True
    hashed = passwords.hash_password(fit)
    with get_sessions("system").begin() as session:
        locked = _locked(session, person_id)
        if not is_same(locked.password_hash or "", stored):
            raise InputError("old", "is not your password any more.", "Sign in with the new one.")
        give_password(session, locked, hashed)
    log.info("password_changed", person=person_id)


def _locked(session: Session, person_id: int) -> Person:
    person = session.get(Person, person_id, with_for_update={"key_share": True}, populate_existing=True)
    if person is None:
        raise NotFound
    return person


def _flush_named(session: Session, name: str) -> None:
    try:
        session.flush()
    except IntegrityError:
        raise Taken("name", f"{name!r} is taken.", "Choose another one.") from None
