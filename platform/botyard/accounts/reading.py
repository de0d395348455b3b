"""What somebody may see, read as the tenants whose it is."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from itertools import groupby
from operator import itemgetter

from sqlalchemy import select

from botyard.accounts import services
from botyard.accounts.access import AccessError, Actor, bot_for, customer_for, tenant_session
from botyard.accounts.listing import CustomersWanted, find_customers
from botyard.accounts.roles import Role
from botyard.bots.searching import BotsWanted, Place, SeenBot, bots_query, find_bots, place_of
from botyard.errors import InputError
from db.models import Bot, BotDay, BotHealth, Customer


def next_of(numbers: Sequence[int], limit: int) -> int | None:
    """Behind which number the next part of a list begins; none if this was the last.

    Args:
        numbers: those that this part was to have; some of them may be gone since.
        limit: how many it may have.
    """
    return numbers[limit - 1] if len(numbers) >= limit else None


def customers_of(actor: Actor, *, after: int, limit: int) -> tuple[list[Customer], int | None]:
    """The customers for whom somebody can act, in the order of their numbers, and where the next part begins.

    Args:
        actor: a superadmin sees all.
        after: the number behind which to begin.
        limit: how many at most.
    """
    if actor.superadmin:
        numbers = services.customer_ids(after, limit)
    else:
        numbers = [number for number in actor.customers if number > after][:limit]
    found = [customer for number in numbers if (customer := _customer(number)) is not None]
    return found, next_of(numbers, limit)


def bots_of(actor: Actor, *, after: int, limit: int) -> tuple[list[SeenBot], int | None]:
    """The bots of these customers, each with its health, in the order of their numbers, and where the rest begins."""
    if actor.superadmin:
        places = services.bot_places(after, limit)
        numbers = [bot for bot, _ in places]
        groups = groupby(sorted((customer, bot) for bot, customer in places), key=itemgetter(0))
        found = [one for customer, bots in groups for one in _bots(customer, [bot for _, bot in bots])]
    else:
        found = [one for customer in actor.customers for one in bots_of_customer(customer, after=after, limit=limit)]
        numbers = sorted(bot.id for bot, _ in found)
    return sorted(found, key=lambda one: one[0].id)[:limit], next_of(numbers, limit)


def bots_of_customer(customer_id: int, *, after: int, limit: int) -> list[SeenBot]:
    """The bots of one customer; whoever calls it has checked the right to."""
    query = select(Bot, BotHealth).outerjoin(BotHealth, BotHealth.bot_id == Bot.id)
    with tenant_session(customer_id) as session:
        rows = session.execute(query.where(Bot.id > after).order_by(Bot.id).limit(limit))
        return [(bot, health) for bot, health in rows]


def bot_of_customer(customer_id: int, bot_id: int) -> SeenBot | None:
    """A bot as it is now, with its health; none if it is not that customer's (any more)."""
    return next(iter(_bots(customer_id, [bot_id])), None)


def customers_page(actor: Actor, wanted: CustomersWanted, after: int, limit: int) -> list[Customer]:
    """The customers for whom somebody can act, as they want to see them, in the order of their numbers.

    Args:
        actor: a superadmin sees all.
        wanted: which.
        after: the number behind which to begin.
        limit: how many at most.
    """
    if actor.superadmin:
        return find_customers(wanted, after, limit)
    found = (_customer(number) for number in actor.customers if number > after)
    return [customer for customer in found if customer is not None and wanted.fits(customer)][:limit]


def bots_page(actor: Actor, wanted: BotsWanted, after: Place | None, limit: int) -> list[SeenBot]:
    """The bots of the customers for whom somebody can act, as they want to see them.

    Args:
        actor: a superadmin sees all; an API key may be limited to some bots.
        wanted: which.
        after: behind which place to begin; see `botyard.bots.searching.place_of`.
        limit: how many at most.
    """
    wanted = replace(wanted, among=actor.bots)
    if actor.superadmin:
        return find_bots(wanted, after, limit)
    found: list[SeenBot] = []
    for customer_id in actor.customers:
        if wanted.customer_id in (None, customer_id):
            with tenant_session(customer_id) as session:
                found += [(bot, health) for bot, health in session.execute(bots_query(wanted, after, limit))]
    return sorted(found, key=lambda seen: place_of(seen, wanted))[:limit]


def bot_in_sight(actor: Actor, bot_id: int) -> tuple[Bot, Customer] | None:
    """A bot with its customer, if somebody may see both."""
    try:
        bot = bot_for(actor, bot_id, needs=Role.VIEWER)
        return bot, customer_for(actor, bot.customer_id, needs=Role.VIEWER)
    except AccessError:
        return None


def days_of(bot: Bot, before: date | None, limit: int, since: date | None = None) -> list[BotDay]:
    """What a bot did on its days (UTC), the latest first; whoever calls it has checked the right to.

    Args:
        bot: its row.
        before: only days before this one.
        limit: how many at most.
        since: only days from this one on.
    """
    query = select(BotDay).where(BotDay.bot_id == bot.id)
    if before is not None:
        query = query.where(BotDay.day < before)
    if since is not None:
        query = query.where(BotDay.day >= since)
    with tenant_session(bot.customer_id) as session:
        return list(session.scalars(query.order_by(BotDay.day.desc()).limit(limit)))


def own_customer(actor: Actor, customer_id: int | None, *, needs: Role) -> Customer:
    """The customer for whom somebody acts.

    Args:
        actor: who.
        customer_id: which one, for somebody who acts for more than one, or for a superadmin.
        needs: what they must be allowed to.

    Raises:
        InputError: which one it is was not said, and there is not exactly one.
        AccessError: see `customer_for`.
    """
    if customer_id is None:
        if len(actor.customers) != 1:
            says = "more than one customer" if actor.customers else "no customer"
            raise InputError("customer", f"is not said, and you act for {says}.", "Add ?customer= and its id.")
        customer_id = actor.customers[0]
    return customer_for(actor, customer_id, needs=needs)


def _customer(customer_id: int) -> Customer | None:
    with tenant_session(customer_id) as session:
        return session.get(Customer, customer_id)


def _bots(customer_id: int, numbers: Iterable[int]) -> list[SeenBot]:
    query = select(Bot, BotHealth).outerjoin(BotHealth, BotHealth.bot_id == Bot.id).where(Bot.id.in_(list(numbers)))
    with tenant_session(customer_id) as session:
        return [(bot, health) for bot, health in session.execute(query)]
