"""Customers are switched off and on with all their bots; what needs their tokens is left to a worker.

See docs/access.md.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from botyard.accounts import customers
from botyard.bots import errands
from botyard.settings import get_settings
from db.models import Customer


@dataclass(frozen=True, slots=True)
class Departure:
    """How far the removal of a customer is.

    Args:
        state: whether it is gone.
        kept_until: until then the removal can be taken back; none: nothing is kept.
        bots: those that were switched off now; if nothing is kept, those that are still to be removed.
    """

    state: Literal["removing", "removed"]
    kept_until: datetime | None
    bots: list[int]


def change_customer(
    customer_id: int, *, name: str | None = None, status: Literal["active", "suspended"] | None = None,
    expected: int | None = None,
) -> Customer:  # fmt: skip
    """Call a customer something else, suspend it, or let it go on; its bots follow.

    Raises:
        Stale, InputError: as `botyard.accounts.customers.change_customer`.
    """
    changed = customers.change_customer(customer_id, name=name, status=status, expected=expected)
    _connect(changed.bots)
    return changed.customer


def remove_customer(customer_id: int, *, now: bool = False, expected: int | None = None) -> Departure:
    """Remove a customer; its data is kept for REMOVED_DATA_DAYS.

    Args:
        customer_id: which one.
        now: keep nothing, also of one whose removal has begun already.
        expected: its version, as it was seen; none: whichever it is.

    Raises:
        Stale, InputError: as `botyard.accounts.customers.leave`.
    """
    keep = timedelta() if now else timedelta(days=get_settings().removed_data_days)
    left = customers.leave(customer_id, keep, expected)
    if keep:
        _connect(left.bots)
        return Departure("removing", left.customer.purge_after, left.bots)
    if left.bots:
        errands.remove_bots(left.bots, customer_id)
    elif customers.was_told(customer_id):
        # That may be a month of messages: nobody waits for it here.
        errands.remove_customer(customer_id)
    elif not (bots := customers.remove_customer(customer_id)):
        return Departure("removed", None, bots)
    return Departure("removing", None, left.bots)


def restore_customer(customer_id: int, expected: int | None = None) -> Customer:
    """Take the removal of a customer back, while its data is kept: it and its bots are as they were.

    Raises:
        Stale, InputError: as `botyard.accounts.customers.restore_customer`.
    """
    restored = customers.restore_customer(customer_id, expected)
    _connect(restored.bots)
    return restored.customer


def _connect(bots: list[int]) -> None:
    for bot_id in bots:
        errands.connect_bot(bot_id)
