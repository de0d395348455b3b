"""Customers themselves: making, renaming, suspending and removing them. See docs/access.md.

They work as the system role, for the application role changes no customers and no bots; whoever calls them has checked
the right to.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final, cast

import structlog
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from botyard.accounts.records import CustomerLine
from botyard.accounts.services import fit_name
from botyard.bots import statuses
from botyard.bots.registry import routings_of
from botyard.bots.routing import tell
from botyard.bots.statuses import Status, change_status
from botyard.errors import InputError
from db.engine import get_sessions
from db.models import AccessToken, Bot, Customer, Membership, Person

_USERNAME: Final = re.compile(r"[a-z][a-z0-9_-]{1,63}")
_FORGOTTEN: Final = timedelta(minutes=15)
_FIRST: Final = 1
"""The customer that the release step makes: bots that are added on the command line are its bots."""
_OFF: Final = {
    "active": "its customer is suspended",
    "paused": "its customer is suspended; before that it was paused",
    "maintenance": "its customer is suspended; before that it was in maintenance",
}
"""What a suspension switches off, each with a reason that says what it was."""

log = structlog.get_logger(__name__)


class Taken(InputError):
    """A name that somebody else has."""


def customer_lines() -> list[CustomerLine]:
    """Every customer, and how many bots each has."""
    counted = select(Bot.customer_id, func.count().label("bots")).group_by(Bot.customer_id).subquery()
    query = (
        select(Customer, func.coalesce(counted.c.bots, 0))
        .outerjoin(counted, counted.c.customer_id == Customer.id)
        .order_by(Customer.id)
    )
    with get_sessions("system")() as session:
        return [
            CustomerLine(customer.id, customer.username, customer.name, customer.status, bots)
            for customer, bots in session.execute(query)
        ]


def add_customer(username: str, name: str | None = None) -> Customer:
    """Make a customer, without bots and members.

    Raises:
        Taken: another one is called so.
        InputError: the username is none.
    """
    if _USERNAME.fullmatch(username) is None:
        remedy = "Use 2 to 64 small letters, digits, _ and -, a letter first."
        raise InputError("username", "is no name for a customer.", remedy)
    customer = Customer(username=username, name=fit_name(username if name is None else name), version=1)
    try:
        with get_sessions("system").begin() as session:
            session.add(customer)
            session.flush()
            session.refresh(customer)
    except IntegrityError:
        raise Taken("username", f"{username!r} is taken.", "Choose another one.") from None
    return customer


def rename_customer(customer_id: int, name: str) -> None:
    """Call a customer something else; its username stays.

    Raises:
        InputError: the name is none, or the customer is gone.
    """
    called = fit_name(name)
    with get_sessions("system").begin() as session:
        customer = session.get(Customer, customer_id, with_for_update={"key_share": True})
        if customer is None:
            raise InputError("customer", f"there is no customer {customer_id}.")
        if customer.name != called:
            customer.name = called
            customer.version += 1


def suspend_customer(customer_id: int) -> list[int]:
    """Let a customer's people in no more, and switch its bots off.

    Returns:
        the bots that were switched off: their webhooks are to be removed by whoever may open tokens.

    Raises:
        InputError: there is no such customer, or it is the one that the installation itself uses.
    """
    with get_sessions("system").begin() as session:
        customer = _locked(session, customer_id)
        if customer.status != "suspended":
            customer.status, customer.version = "suspended", customer.version + 1
        bots = _bots_of(session, customer_id)
        stopped = [
            bot for bot in bots if (why := _OFF.get(bot.status)) and change_status(session, bot, "inactive", why)
        ]
        routes = routings_of(session, stopped)
    tell(routes)
    return [bot.id for bot in stopped]


def resume_customer(customer_id: int) -> list[int]:
    """Let a customer's people in again; the bots that its suspension switched off are as they were before.

    Returns:
        these bots: they are to be connected by whoever may open tokens.

    Raises:
        InputError: there is no such customer, or it is being removed.
    """
    before = {reason: cast("Status", status) for status, reason in _OFF.items()}
    with get_sessions("system").begin() as session:
        customer = _locked(session, customer_id)
        if customer.removal_began is not None:
            raise InputError("customer", "is being removed.", "Add it again once it is gone.")
        if customer.status != "active":
            customer.status, customer.version = "active", customer.version + 1
        off = [bot for bot in _bots_of(session, customer_id) if bot.status == "inactive"]
        started = [
            bot
            for bot in off
            if (was := before.get(bot.status_reason or "")) and change_status(session, bot, was, None)
        ]
        routes = routings_of(session, started)
    tell(routes)
    return [bot.id for bot in started]


def begin_removal(customer_id: int) -> list[int]:
    """Let a customer's people in no more, and mark its bots as leaving; doing it again is safe.

    Returns:
        the bots that are to be removed by whoever may open tokens; after the last of them the customer.

    Raises:
        InputError: there is no such customer, or it is the one that the installation itself uses.
    """
    with get_sessions("system").begin() as session:
        customer = _locked(session, customer_id)
        if customer.removal_began is None:
            customer.removal_began, customer.version = datetime.now(UTC), customer.version + 1
        customer.status = "suspended"
        bots = _bots_of(session, customer_id)
        for bot in bots:
            statuses.begin_removal(bot)
        routes = routings_of(session, bots)
    tell(routes)
    return [bot.id for bot in bots]


def remove_customer(customer_id: int) -> list[int]:
    """Remove a customer that has no bots any more; the tokens of people who acted for nobody else are revoked.

    Returns:
        the bots that are still there: then nothing was done.

    Raises:
        InputError: it is the one that the installation itself uses.
    """
    with get_sessions("system").begin() as session:
        customer = session.get(Customer, customer_id, with_for_update=True)
        if customer is None:
            return []
        _not_the_first(customer_id)
        if bots := _bots_of(session, customer_id):
            return [bot.id for bot in bots]
        members = list(session.scalars(select(Membership).where(Membership.customer_id == customer_id)))
        for membership in members:
            session.delete(membership)
        session.flush()
        _revoke_strangers(session, [membership.person_id for membership in members])
        session.delete(customer)
    return []


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
    """Whether a customer is there, and its removal has begun."""
    with get_sessions("system")() as session:
        customer = session.get(Customer, customer_id)
    return customer is not None and customer.removal_began is not None


def forgotten_customers() -> list[int]:
    """The customers whose removal began so long ago that whoever did it must have died."""
    query = select(Customer.id).where(Customer.removal_began < datetime.now(UTC) - _FORGOTTEN).order_by(Customer.id)
    with get_sessions("system")() as session:
        return list(session.scalars(query))


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


def _locked(session: Session, customer_id: int) -> Customer:
    _not_the_first(customer_id)
    # Not FOR UPDATE: whoever holds a bot and writes a row of its customer's waits for that.
    customer = session.get(Customer, customer_id, with_for_update={"key_share": True})
    if customer is None:
        raise InputError("customer", f"there is no customer {customer_id}.", "See `botyard customer list`.")
    return customer


def _not_the_first(customer_id: int) -> None:
    if customer_id == _FIRST:
        raise InputError(
            "customer", "is the installation's own, and stays.", "Remove its bots, if you do not want them."
        )


def _bots_of(session: Session, customer_id: int) -> list[Bot]:
    query = select(Bot).where(Bot.customer_id == customer_id).order_by(Bot.id).with_for_update()
    return list(session.scalars(query))
