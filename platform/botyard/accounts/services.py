"""Who somebody is, and whose something is: what no tenant's session can see. See docs/access.md."""

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from botyard.accounts.bearer import digest_of, fresh_token
from botyard.accounts.records import Bearer, Member, NewToken, TokenLine, TokenWanted
from botyard.accounts.roles import Role
from botyard.errors import InputError
from db.engine import get_sessions, storable
from db.models import AccessToken, Bot, Customer, Membership, Person

_LONGEST_NAME: Final = 200
_LARGEST_ID: Final = 2**63 - 1
_LONGEST_DAYS: Final = 3650


def find_bearer(token: str) -> Bearer | None:
    """Who shows this token; nobody if it is unknown, expired or revoked."""
    valid = and_(
        AccessToken.digest == digest_of(token),
        AccessToken.revoked_at.is_(None),
        or_(AccessToken.expires_at.is_(None), AccessToken.expires_at > func.now()),
    )
    query = (
        select(Person, Membership, Customer.status)
        .join(AccessToken, AccessToken.person_id == Person.id)
        .outerjoin(Membership, Membership.person_id == Person.id)
        .outerjoin(Customer, Customer.id == Membership.customer_id)
        .where(valid)
    )
    with get_sessions("system")() as session:
        rows = session.execute(query).all()
    if not rows:
        return None
    person = rows[0][0]
    members = tuple(
        Member(membership.customer_id, Role.named(membership.role), status == "suspended")
        for _, membership, status in rows
        if membership is not None
    )
    return Bearer(person.id, person.name, person.superadmin, members)


def new_token(wanted: TokenWanted) -> NewToken:
    """Make a token; the person and the membership too, where they are missing. A role that is given takes effect.

    Raises:
        InputError: there is no such customer, or the name is none.
    """
    name = fit_name(wanted.name)
    if wanted.expires_days is not None and not 0 < wanted.expires_days <= _LONGEST_DAYS:
        raise InputError(
            "expires_days", "is not between 1 and 3650.", "Leave it away for a token that does not expire."
        )
    token = fresh_token()
    expires = None if wanted.expires_days is None else datetime.now(UTC) + timedelta(days=wanted.expires_days)
    with get_sessions("system").begin() as session:
        person = session.scalars(select(Person).where(Person.name == name)).first()
        if person is None:
            person = Person(name=name, superadmin=wanted.customer is None)
            session.add(person)
            session.flush()
        if wanted.customer is not None:
            customer = find_customer(session, wanted.customer)
            _join(session, person, customer, wanted.role or Role.OWNER)
        row = AccessToken(person_id=person.id, digest=digest_of(token), expires_at=expires)
        session.add(row)
        session.flush()
        return NewToken(row.id, name, token)


def _join(session: Session, person: Person, customer: Customer, role: Role) -> None:
    membership = session.get(Membership, (person.id, customer.id))
    if membership is None:
        session.add(Membership(person_id=person.id, customer_id=customer.id, role=str(role)))
    elif membership.role != str(role):
        membership.role = str(role)
        membership.version += 1


def token_lines() -> list[TokenLine]:
    """Every token, without the token itself."""
    with get_sessions("system")() as session:
        joined: dict[int, list[str]] = {}
        members = select(Membership, Customer).join(Customer, Customer.id == Membership.customer_id)
        for membership, customer in session.execute(members.order_by(Customer.id)):
            called = customer.username or str(customer.id)
            joined.setdefault(membership.person_id, []).append(f"{called} ({membership.role})")
        query = select(AccessToken, Person).join(Person, Person.id == AccessToken.person_id).order_by(AccessToken.id)
        return [
            TokenLine(
                row.id, person.name, person.superadmin, ", ".join(joined.get(person.id, [])),
                row.created_at, row.expires_at, row.revoked_at,
            )
            for row, person in session.execute(query)
        ]  # fmt: skip


def revoke_token(number: int) -> None:
    """Refuse a token from now on. One that is revoked already stays so.

    Raises:
        InputError: there is no such token.
    """
    with get_sessions("system").begin() as session:
        row = session.get(AccessToken, number, with_for_update=True) if 0 < number <= _LARGEST_ID else None
        if row is None:
            raise InputError("token", f"there is no token {number}.", "See `botyard admin tokens`.")
        row.revoked_at = row.revoked_at or datetime.now(UTC)


def customer_of_bot(bot_id: int) -> int | None:
    """Whose bot it is; for superadmins."""
    with get_sessions("system")() as session:
        found: int | None = session.scalar(select(Bot.customer_id).where(Bot.id == bot_id))
    return found


def customer_ids(after: int, limit: int) -> list[int]:
    """The customers behind one of them, in order; for superadmins."""
    with get_sessions("system")() as session:
        return list(session.scalars(select(Customer.id).where(Customer.id > after).order_by(Customer.id).limit(limit)))


def bot_places(after: int, limit: int) -> list[tuple[int, int]]:
    """The bots behind one of them, in order, each with its customer; for superadmins."""
    query = select(Bot.id, Bot.customer_id).where(Bot.id > after).order_by(Bot.id).limit(limit)
    with get_sessions("system")() as session:
        return [(bot_id, customer_id) for bot_id, customer_id in session.execute(query)]


def find_customer(session: Session, name: str) -> Customer:
    """The customer of this username or number, in the caller's transaction.

    Raises:
        InputError: there is none.
    """
    wanted: ColumnElement[bool] = Customer.username == name
    if name.isdecimal() and int(name) <= _LARGEST_ID:
        wanted = Customer.id == int(name)
    found = session.scalars(select(Customer).where(wanted)).first()
    if found is None:
        raise InputError("customer", f"there is no customer {name!r}.", "See `botyard customer list`.")
    return found


def customer_number(name: str) -> int:
    """The number of the customer of this username or number.

    Raises:
        InputError: there is none.
    """
    with get_sessions("system")() as session:
        return find_customer(session, name).id


def members(customer_id: int) -> list[str]:
    """Who may act for a customer, as ``anna (owner)``."""
    query = (
        select(Person.name, Membership.role)
        .join(Membership, Membership.person_id == Person.id)
        .where(Membership.customer_id == customer_id)
        .order_by(Person.id)
    )
    with get_sessions("system")() as session:
        return [f"{name} ({role})" for name, role in session.execute(query)]


def fit_name(name: str) -> str:
    """A name for a person or a customer, without what is around it.

    Raises:
        InputError: it is empty, too long, or holds what nobody sees.
    """
    fit = storable(name).strip()
    if not fit or len(fit) > _LONGEST_NAME or not fit.isprintable():
        raise InputError("name", "is empty, longer than 200 characters, or not printable.", "Give it another one.")
    return fit
