"""The part of a removal that opens tokens, or takes long: for workers, and not for the web process."""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import structlog
from redis.exceptions import LockNotOwnedError

from botyard.accounts import customers
from botyard.bots.removal import remove_bot
from botyard.errors import InputError
from botyard.mailbox.server import redis_of
from botyard.settings import get_settings
from botyard.telegram.request import AiohttpRequest
from db.engine import DATABASE_TROUBLE

log = structlog.get_logger(__name__)

_HELD_SECONDS: Final = 540.0
"""As long as a worker has for it: what it left behind when it was killed is over then."""


@dataclass(frozen=True, slots=True)
class Removals:
    """What is to be sent to a worker.

    Args:
        bots: each with the customer that goes with the last of its bots, if that is due.
        customers: those that are due and have no bots any more.
    """

    bots: list[tuple[int, ...]]
    customers: list[int]


def due_removals() -> Removals:
    """What is to be removed now, each once; the bots of customers whose time is over are marked as leaving."""
    bots: list[tuple[int, ...]] = []
    empty: list[int] = []
    for customer_id in customers.due_customers():
        try:
            found = customers.begin_due_removal(customer_id)
        except (InputError, *DATABASE_TROUBLE) as error:
            # Another worker has just removed it, or holds it; the others do not wait for that.
            log.warning("removal_not_begun", customer=customer_id, error=type(error).__name__)
            continue
        bots += [(bot_id, customer_id) for bot_id in found]
        if not found:
            empty.append(customer_id)
    sent = {bot_id for bot_id, *_ in bots}
    bots += [(bot_id,) for bot_id in customers.forgotten_removals() if bot_id not in sent]
    return Removals(bots, empty)


def finish_removal(bot_id: int, customer_id: int | None) -> None:
    """Remove a bot whose removal has begun, and after the last one of a customer that is leaving the customer, too.

    A bot or a customer of which nobody has asked that stays as it is, whoever names it. Doing it again is safe; while
    another worker does it, nothing is done here.

    Args:
        bot_id: the bot's row; it may be gone already.
        customer_id: whose bot it was; none: no customer is leaving.
    """
    with _alone(str(bot_id)) as ours:
        # Another removal of it may be faster, or it may be added again meanwhile: then its customer stays, too.
        if ours and customers.is_bot_leaving(bot_id):
            with contextlib.suppress(InputError):
                asyncio.run(_remove(bot_id))
    if ours and customer_id is not None:
        finish_leaving(customer_id)


def finish_leaving(customer_id: int) -> None:
    """Remove a customer whose data is to be removed now, if none of its bots is left, and no other worker does it."""
    with _alone(f"customer:{customer_id}") as ours:
        if ours and customers.is_leaving(customer_id):
            customers.remove_customer(customer_id)


@contextlib.contextmanager
def _alone(what: str) -> Iterator[bool]:
    """Whether no other worker is at it; none begins until this is over."""
    with redis_of(get_settings()) as redis:
        lock = redis.lock(f"by:removing:{what}", timeout=_HELD_SECONDS, blocking=False)
        ours = lock.acquire()
        try:
            yield ours
        finally:
            if ours:
                with contextlib.suppress(LockNotOwnedError):
                    lock.release()


async def _remove(bot_id: int) -> None:
    settings = get_settings()
    request = AiohttpRequest(settings.api_timeout_seconds)
    try:
        await remove_bot(str(bot_id), request, settings, begun=True)
    finally:
        await request.close()
