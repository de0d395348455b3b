"""Who somebody is, and whose something is: what no tenant's session can see. See docs/access.md."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, update
from sqlalchemy.orm import Session

from botyard.accounts.bearer import digest_of, fresh_key, is_older_key, is_same, public_id_of
from botyard.accounts.records import Bearer, Member, NewToken, TokenLine, TokenWanted
from botyard.accounts.roles import Role
from botyard.accounts.scopes import Scope
from botyard.accounts.signed_tokens import Claims, is_signed_token, signed_tokens
from botyard.errors import InputError
from db.engine import get_sessions, storable
from db.models import AccessToken, Bot, Customer, Membership, Person, SignIn

_LONGEST_NAME: Final = 200
_LARGEST_ID: Final = 2**63 - 1
_LONGEST_DAYS: Final = 3650
_USE_NOTED: Final = timedelta(minutes=1)


def find_bearer(token: str) -> Bearer | None:
    """Who shows this token: an API key, or the access token of a sign-in.

    Nobody if it is unknown, expired or revoked, or the sign-in is over.
    """
    if not is_signed_token(token):
        return _of_key(token)
    claims = signed_tokens().read(token)
    return None if claims is None else _of_sign_in(claims)


def _of_sign_in(claims: Claims) -> Bearer | None:
    valid = and_(
        SignIn.id == claims.sign_in_id,
        SignIn.person_id == claims.person_id,
        SignIn.revoked_at.is_(None),
        SignIn.expires_at > func.now(),
    )
    query = _people(SignIn.id).join(SignIn, SignIn.person_id == Person.id).where(valid)
    with get_sessions("system")() as session:
        rows = session.execute(query).all()
    return _bearer(rows, sign_in_id=claims.sign_in_id) if rows else None


def _of_key(token: str) -> Bearer | None:
    if (public_id := public_id_of(token)) is not None:
        named = AccessToken.public_id == public_id
    elif is_older_key(token):
        named = and_(AccessToken.digest == digest_of(token), AccessToken.public_id.is_(None))
    else:
        return None
    valid = and_(
        AccessToken.revoked_at.is_(None), or_(AccessToken.expires_at.is_(None), AccessToken.expires_at > func.now())
    )
    query = _people(AccessToken).join(AccessToken, AccessToken.person_id == Person.id).where(named, valid)
    with get_sessions("system")() as session:
        rows = session.execute(query).all()
    if not rows or not is_same(rows[0][3].digest, digest_of(token)):
        return None
    key = rows[0][3]
    _note_use(key)
    scopes = None if key.scopes is None else frozenset(scope for scope in Scope if scope in key.scopes)
    bots = None if key.bots is None else frozenset(key.bots)
    return _bearer(rows, scopes=scopes, customer_id=key.customer_id, bots=bots, key_id=key.id)


def _people(shown: Any) -> Select[Any]:
    """People with their memberships, a row for each, and what they have shown."""
    return (
        select(Person, Membership, or_(Customer.status == "suspended", Customer.removal_began.is_not(None)), shown)
        .select_from(Person)
        .outerjoin(Membership, Membership.person_id == Person.id)
        .outerjoin(Customer, Customer.id == Membership.customer_id)
    )


def _bearer(rows: Sequence[Any], **limits: Any) -> Bearer:
    person = rows[0][0]
    members = tuple(
        Member(membership.customer_id, Role.named(membership.role), bool(closed))
        for _, membership, closed, _ in rows
        if membership is not None
    )
    return Bearer(person.id, person.name, person.superadmin, members, **limits)


def _note_use(key: AccessToken) -> None:
    """Once a minute at most: a key that is used all the time must not write all the time."""
    now = datetime.now(UTC)
    if key.last_used_at is not None and now - key.last_used_at < _USE_NOTED:
        return
    unnoted = or_(AccessToken.last_used_at.is_(None), AccessToken.last_used_at <= now - _USE_NOTED)
    with get_sessions("system").begin() as session:
        # Not through the session: that somebody uses a key is no change to record.
        session.connection().execute(
            update(AccessToken).where(AccessToken.id == key.id, unnoted).values(last_used_at=now)
        )


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
    fresh = fresh_key()
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
        row = AccessToken(
            person_id=person.id, public_id=fresh.public_id, digest=digest_of(fresh.key), expires_at=expires
        )
        session.add(row)
        session.flush()
        return NewToken(row.id, name, fresh.key)


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
