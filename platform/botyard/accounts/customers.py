"""Customers themselves: making, renaming, suspending and removing them. See docs/access.md.

They work as the system role, for the application role changes no customers and no bots; whoever calls them has checked
the right to.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, cast

from sqlalchemy import or_, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from botyard.accounts.services import fit_name
from botyard.bots import statuses
from botyard.bots.registry import routings_of
from botyard.bots.routing import tell
from botyard.bots.statuses import LEAVING, SUSPENDED, Status, change_status
from botyard.errors import InputError, Stale
from db.claims import took_effect
from db.engine import get_sessions
from db.models import AccessToken, Bot, Customer, Endpoint, Membership, Person

_USERNAME: Final = re.compile(r"[a-z][a-z0-9_-]{1,63}")
_FORGOTTEN: Final = timedelta(minutes=15)
_AT_WORK: Final = timedelta(minutes=1)
_FIRST: Final = 1
"""The customer that the release step makes: bots that are added on the command line are its bots."""
_BATCH: Final = 500
_LONG_STATEMENT: Final = text("SET LOCAL statement_timeout = '60s'")
_TOLD: Final = text("SELECT EXISTS (SELECT 1 FROM endpoint_messages WHERE customer_id = :customer)")
# A message takes its attempts with it, and may have many.
_MESSAGES: Final = tuple(
    text(f"""
DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE customer_id = :customer ORDER BY id LIMIT :batch)
""")  # noqa: S608 - our own tables
    for table in ("endpoint_attempts", "endpoint_messages")
)


class Taken(InputError):
    """A name that somebody else has."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A customer after a change, and the bots whose webhooks are to be set or removed by whoever may open tokens."""

    customer: Customer
    bots: list[int]


def add_customer(username: str, name: str | None = None) -> Customer:
    """Make a customer, without bots and members.

    Raises:
        Taken: another one is called so.
        InputError: the username is none.
    """
    with get_sessions("system").begin() as session:
        customer = make_customer(session, username, name)
        took_effect(session, customer=customer.id)
    return customer


def make_customer(session: Session, username: str, name: str | None) -> Customer:
    """Make a customer in the caller's transaction.

    Raises:
        Taken: another one is called so.
        InputError: the username is none.
    """
    customer = Customer(username=username, name=check_names(username, name), version=1)
    try:
        with session.begin_nested():
            session.add(customer)
            session.flush()
    except IntegrityError:
        raise Taken("username", f"{username!r} is taken.", "Choose another one.") from None
    session.refresh(customer)
    return customer


def check_names(username: str, name: str | None) -> str:
    """The name of a customer for people, if it can be called so.

    Raises:
        InputError: one of the two is none.
    """
    if _USERNAME.fullmatch(username) is None:
        remedy = "Use 2 to 64 small letters, digits, _ and -, a letter first."
        raise InputError("username", "is no name for a customer.", remedy)
    return fit_name(username if name is None else name)


def change_customer(
    customer_id: int, *, name: str | None = None, status: Literal["active", "suspended"] | None = None,
    expected: int | None = None,
) -> Changed:  # fmt: skip
    """Call a customer something else, suspend it, or let it go on: all of it or nothing.

    One that is suspended lets its people in no more, and its bots are switched off; once it goes on they are as they
    were before.

    Args:
        customer_id: which one.
        name: what it is called for people; its username stays.
        status: whether it is suspended.
        expected: its version, as it was seen; none: whichever it is.

    Raises:
        Stale: it was changed since.
        InputError: the name is none; there is no such customer, it is being removed, or it is the installation's own.
    """
    called = None if name is None else fit_name(name)
    with get_sessions("system").begin() as session:
        customer = _locked(session, customer_id, expected)
        if called is not None and customer.name != called:
            customer.name = called
            customer.version += 1
        turned: list[Bot] = []
        if status is not None:
            _not_the_first(customer_id)
            if customer.removal_began is not None:
                raise InputError("customer", "is being removed.", "`botyard customer restore` takes that back.")
            if customer.status != status:
                customer.status, customer.version = status, customer.version + 1
            turned = _switch_off(session, customer, SUSPENDED) if status == "suspended" else []
            turned += _switch_on(session, customer, SUSPENDED) if status == "active" else []
        routes = routings_of(session, turned)
    tell(routes)
    return Changed(customer, [bot.id for bot in turned])


def rename_customer(customer_id: int, name: str) -> None:
    """Call a customer something else; its username stays.

    Raises:
        InputError: the name is none, or the customer is gone.
    """
    change_customer(customer_id, name=name)


def suspend_customer(customer_id: int) -> list[int]:
    """Let a customer's people in no more, and switch its bots off.

    Returns:
        the bots that were switched off: their webhooks are to be removed by whoever may open tokens.

    Raises:
        InputError: there is no such customer, or it is the one that the installation itself uses.
    """
    return change_customer(customer_id, status="suspended").bots


def resume_customer(customer_id: int) -> list[int]:
    """Let a customer's people in again; the bots that its suspension switched off are as they were before.

    Returns:
        these bots: they are to be connected by whoever may open tokens.

    Raises:
        InputError: there is no such customer, or it is being removed.
    """
    return change_customer(customer_id, status="active").bots


def leave(customer_id: int, keep: timedelta, expected: int | None = None) -> Changed:
    """Remove a customer, and keep its data for a while: its people are locked out, its bots switched off.

    Until then the removal can be taken back (`restore_customer`); after that `begin_removal` is due. Asked for again
    it changes nothing.

    Args:
        customer_id: which one.
        keep: for how long; nothing: its data is to be removed now.
        expected: its version, as it was seen; none: whichever it is.

    Returns:
        The customer, and the bots whose webhooks are to be removed by whoever may open tokens; or, if nothing is kept,
        the bots that are to be removed by them.

    Raises:
        Stale: it was changed since.
        InputError: there is no such customer, or it is the installation's own.
    """
    if not keep:
        return Changed(*_begin_removal(customer_id, expected))
    with get_sessions("system").begin() as session:
        customer = _locked(session, customer_id, expected)
        _not_the_first(customer_id)
        turned: list[Bot] = []
        if customer.removal_began is None:
            now = datetime.now(UTC)
            customer.removal_began, customer.purge_after = now, now + keep
            customer.version += 1
            turned = _switch_off(session, customer, LEAVING)
        routes = routings_of(session, turned)
    tell(routes)
    return Changed(customer, [bot.id for bot in turned])


def restore_customer(customer_id: int, expected: int | None = None) -> Changed:
    """Take the removal of a customer back, while its data is kept: it and its bots are as they were.

    Raises:
        Stale: it was changed since.
        InputError: there is no such customer, nobody removed it, or its data is being removed already.
    """
    with get_sessions("system").begin() as session:
        customer = _locked(session, customer_id, expected)
        if customer.removal_began is None:
            raise InputError("customer", "is not being removed.", "There is nothing to take back.")
        if customer.purge_after is None or customer.purge_after <= datetime.now(UTC):
            raise InputError("customer", "is not kept any more: its data is being removed.", "Add it anew.")
        customer.removal_began = customer.purge_after = None
        customer.version += 1
        session.flush()
        # One that was suspended before is so again, and its bots stay off.
        turned = _switch_on(session, customer, LEAVING)
        routes = routings_of(session, turned)
    tell(routes)
    return Changed(customer, [bot.id for bot in turned])


def begin_removal(customer_id: int) -> list[int]:
    """Remove a customer's data from now on: its bots are marked as leaving; doing it again is safe.

    Returns:
        the bots that are to be removed by whoever may open tokens; after the last of them the customer.

    Raises:
        InputError: there is no such customer, or it is the one that the installation itself uses.
    """
    return _begin_removal(customer_id, None)[1]


def _begin_removal(customer_id: int, expected: int | None, *, due: bool = False) -> tuple[Customer, list[int]]:
    with get_sessions("system").begin() as session:
        customer = _locked(session, customer_id, expected)
        _not_the_first(customer_id)
        now = datetime.now(UTC)
        if due and not _is_due(customer, now):
            return customer, []
        if customer.removal_began is None or (customer.purge_after or now) > now:
            customer.removal_began, customer.purge_after = customer.removal_began or now, now
            customer.version += 1
        bots = _bots_of(session, customer_id)
        for bot in bots:
            statuses.begin_removal(bot)
        routes = routings_of(session, bots)
    tell(routes)
    return customer, [bot.id for bot in bots]


def begin_due_removal(customer_id: int) -> list[int]:
    """The same for one whose time is over; of one whose removal was taken back meanwhile nothing is touched."""
    return _begin_removal(customer_id, None, due=True)[1]


def remove_customer(customer_id: int) -> list[int]:
    """Remove a customer that has no bots any more; the tokens of people who acted for nobody else are revoked.

    Returns:
        the bots that are still there: then nothing was done.

    Raises:
        InputError: it is the one that the installation itself uses.
    """
    _not_the_first(customer_id)
    with get_sessions("system")() as session:
        if found := list(session.scalars(select(Bot.id).where(Bot.customer_id == customer_id).order_by(Bot.id))):
            return found
    _forget_messages(customer_id)
    with get_sessions("system").begin() as session:
        customer = session.get(Customer, customer_id, with_for_update=True)
        if customer is None:
            return []
        if bots := _bots_of(session, customer_id):
            return [bot.id for bot in bots]
        for endpoint in session.scalars(select(Endpoint).where(Endpoint.customer_id == customer_id)):
            session.delete(endpoint)
        members = list(session.scalars(select(Membership).where(Membership.customer_id == customer_id)))
        for membership in members:
            session.delete(membership)
        session.flush()
        _revoke_strangers(session, [membership.person_id for membership in members])
        session.delete(customer)
    return []


def _forget_messages(customer_id: int) -> None:
    """What was sent to its endpoints, in small transactions: there may be more than one statement has time for."""
    for statement in _MESSAGES:
        found = _BATCH
        while found == _BATCH:
            with get_sessions("system").begin() as session:
                session.execute(_LONG_STATEMENT)
                found = session.connection().execute(statement, {"customer": customer_id, "batch": _BATCH}).rowcount


def was_told(customer_id: int) -> bool:
    """Whether anything is kept that was sent to a customer's endpoints: to forget it may take long."""
    with get_sessions("system")() as session:
        return bool(session.scalar(_TOLD, {"customer": customer_id}))


def is_bot_leaving(bot_id: int) -> bool:
    """Whether a bot is there, and its removal has begun."""
    with get_sessions("system")() as session:
        bot = session.get(Bot, bot_id)
    return bot is not None and bot.removal_began is not None


def forgotten_removals() -> list[int]:
    """The bots whose removal began so long ago that whoever did it must have died."""
    query = select(Bot.id).where(Bot.removal_began < datetime.now(UTC) - _FORGOTTEN).order_by(Bot.id)
    with get_sessions("system")() as session:
        return list(session.scalars(query))


def is_leaving(customer_id: int) -> bool:
    """Whether a customer is there, and its data is to be removed now."""
    with get_sessions("system")() as session:
        customer = session.get(Customer, customer_id)
    return customer is not None and _is_due(customer, datetime.now(UTC))


def due_customers() -> list[int]:
    """The customers whose data is kept no longer, and those whose removal began and whose worker must have died."""
    now = datetime.now(UTC)
    # A removal that older code has begun keeps nothing.
    forgotten = Customer.purge_after.is_(None) & (Customer.removal_began < now - _FORGOTTEN)
    # Whoever has just asked for it at once has also sent it to a worker.
    query = select(Customer.id).where(or_(Customer.purge_after <= now - _AT_WORK, forgotten))
    with get_sessions("system")() as session:
        return list(session.scalars(query.order_by(Customer.id)))


def _is_due(customer: Customer, now: datetime) -> bool:
    return customer.removal_began is not None and (customer.purge_after is None or customer.purge_after <= now)


def _switch_off(session: Session, customer: Customer, reasons: Mapping[str, str]) -> list[Bot]:
    return [
        bot
        for bot in _bots_of(session, customer.id)
        if (why := reasons.get(bot.status)) and change_status(session, bot, "inactive", why)
    ]


def _switch_on(session: Session, customer: Customer, reasons: Mapping[str, str]) -> list[Bot]:
    before = {reason: cast("Status", status) for status, reason in reasons.items()}
    off = [bot for bot in _bots_of(session, customer.id) if bot.status == "inactive"]
    return [
        bot for bot in off if (was := before.get(bot.status_reason or "")) and change_status(session, bot, was, None)
    ]


def _revoke_strangers(session: Session, people: list[int]) -> None:
    """Refuse the tokens of those who may do nothing at all any more."""
    belongs = select(Membership.person_id).where(Membership.person_id == Person.id).exists()
    query = (
        select(AccessToken)
        .join(Person, Person.id == AccessToken.person_id)
        .where(Person.id.in_(people), Person.superadmin.is_(False), ~belongs, AccessToken.revoked_at.is_(None))
    )
    for row in session.scalars(query):
        row.revoked_at = datetime.now(UTC)


def _locked(session: Session, customer_id: int, expected: int | None) -> Customer:
    # Not FOR UPDATE: whoever holds a bot and writes a row of its customer's waits for that.
    customer = session.get(Customer, customer_id, with_for_update={"key_share": True})
    if customer is None:
        raise InputError("customer", f"there is no customer {customer_id}.", "See `botyard customer list`.")
    if expected is not None and customer.version != expected:
        raise Stale(customer.version)
    return customer


def _not_the_first(customer_id: int) -> None:
    if customer_id == _FIRST:
        raise InputError(
            "customer", "is the installation's own, and stays.", "Remove its bots, if you do not want them."
        )


def _bots_of(session: Session, customer_id: int) -> list[Bot]:
    query = select(Bot).where(Bot.customer_id == customer_id).order_by(Bot.id).with_for_update()
    return list(session.scalars(query))
