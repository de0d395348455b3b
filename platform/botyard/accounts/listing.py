"""Lists over all customers, for the operator of the installation and for superadmins. See docs/access.md."""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import func, select

from botyard.accounts.records import CustomerLine
from db.engine import get_sessions
from db.models import Bot, Customer

CustomerState = Literal["active", "suspended", "removing"]


@dataclass(frozen=True, slots=True)
class CustomersWanted:
    """Which customers somebody wants to see.

    Args:
        status: how they are.
        beginning: how their usernames begin.
    """

    status: CustomerState | None = None
    beginning: str | None = None

    def fits(self, customer: Customer) -> bool:
        """Whether a customer is one of these."""
        begins = (customer.username or "").startswith((self.beginning or "").lower())
        return begins and self.status in (None, state_of(customer))


def state_of(customer: Customer) -> CustomerState:
    """How a customer is."""
    if customer.removal_began is not None:
        return "removing"
    return "suspended" if customer.status == "suspended" else "active"


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
            CustomerLine(
                customer.id, customer.username, customer.name, state_of(customer), bots, customer.purge_after
            )
            for customer, bots in session.execute(query)
        ]  # fmt: skip


def find_customers(wanted: CustomersWanted, after: int, limit: int) -> list[Customer]:
    """Some of all customers, in the order of their numbers; for superadmins.

    Args:
        wanted: which.
        after: the number behind which to begin.
        limit: how many at most.
    """
    query = select(Customer).where(Customer.id > after)
    if wanted.status == "removing":
        query = query.where(Customer.removal_began.is_not(None))
    elif wanted.status is not None:
        query = query.where(Customer.status == wanted.status, Customer.removal_began.is_(None))
    if wanted.beginning:
        query = query.where(Customer.username.startswith(wanted.beginning.lower(), autoescape=True))
    with get_sessions("system")() as session:
        return list(session.scalars(query.order_by(Customer.id).limit(limit)))
