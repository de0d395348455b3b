"""``/api/customers``."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Response
from pydantic import Field, SecretStr

from botyard.accounts import customers, onboarding, reading, turning
from botyard.accounts.access import bot_for, customer_for, superadmin_only
from botyard.accounts.roles import Role
from botyard.accounts.services import fit_name
from botyard.web.api.rights import Need, SignedIn, needs
from botyard.web.api.routes import Route
from botyard.web.api.shapes import After, BotShown, CustomerShown, Given, Limit, Shown, Time
from db.models import Customer

router = APIRouter(prefix="/customers", route_class=Route)

_MOST_BOTS: Final = 100
WhichCustomer = Annotated[int | None, Query(description="For somebody who acts for more than one.")]


class NewCustomer(Given):
    """A customer to be made, perhaps with a bot."""

    username: str = Field(max_length=64)
    bot_token: SecretStr | None = Field(None, max_length=200)
    name: str | None = Field(None, max_length=200)
    kind: str | None = Field(None, max_length=200)


class Profile(Given):
    """What a customer changes of itself."""

    bot_token: SecretStr | None = Field(None, max_length=200)
    name: str | None = Field(None, max_length=200)
    bot: int | None = None


class CustomerWithBot(CustomerShown):
    """A customer, and the bot that the request was about."""

    bot: BotShown | None


class CustomerWithBots(CustomerShown):
    """A customer, and its bots: the first hundred."""

    bots: list[BotShown]
    next: int | None = Field(description="For `GET /api/bots?after=`, if there are more.")


class Customers(Shown):
    """A part of the customers."""

    customers: list[CustomerShown]
    next: int | None


class Removal(Shown):
    """How far a removal is."""

    id: int
    state: str = Field(description="`removing`, or `removed`.")
    bots: list[int] = Field(description="Those that are still to be removed.")
    purge_after: Time | None = Field(description="Until then its data is kept; null: it is not.")


@router.post("", status_code=201)
@needs(Need.SUPERADMIN)
def add_customer(actor: SignedIn, new: NewCustomer) -> CustomerWithBot:
    """Make a customer; if a bot's token is given, it is checked with Telegram first, and the bot is connected."""
    del actor
    token = None if new.bot_token is None else new.bot_token.get_secret_value()
    customer, bot_id = onboarding.add_customer(new.username, new.name, token, new.kind)
    return _with_bot(customer, bot_id)


@router.get("")
@needs(Need.SIGNED_IN)
def list_customers(actor: SignedIn, after: After = 0, limit: Limit = 50) -> Customers:
    """The customers for whom you act; all of them for a superadmin."""
    found, following = reading.customers_of(actor, after=after, limit=limit)
    return Customers(customers=[CustomerShown.of(customer) for customer in found], next=following)


@router.get("/my-profile")
@needs(Role.VIEWER)
def show_profile(actor: SignedIn, customer: WhichCustomer = None) -> CustomerWithBots:
    """The customer for whom you act."""
    return _with_bots(reading.own_customer(actor, customer, needs=Role.VIEWER))


@router.put("/my-profile")
@needs(Role.MANAGER)
def change_profile(actor: SignedIn, profile: Profile, customer: WhichCustomer = None) -> CustomerWithBot:
    """Call it something else, or give its bot another token; what is not named stays."""
    own = reading.own_customer(actor, customer, needs=Role.MANAGER)
    # Before anything is changed: a request is done or refused as a whole.
    name = None if profile.name is None else fit_name(profile.name)
    bot_id = None
    if profile.bot is not None:
        bot = bot_for(actor, profile.bot, needs=Role.MANAGER)
        bot_id = onboarding.bot_of(own.id, bot)
    if profile.bot_token is not None:
        bot_id = onboarding.give_token(own.id, bot_id, profile.bot_token.get_secret_value())
    if name is not None:
        customers.rename_customer(own.id, name)
    return _with_bot(reading.own_customer(actor, own.id, needs=Role.MANAGER), bot_id)


@router.get("/{customer_id}")
@needs(Role.VIEWER)
def show_customer(actor: SignedIn, customer_id: int) -> CustomerWithBots:
    """One customer."""
    return _with_bots(customer_for(actor, customer_id, needs=Role.VIEWER))


@router.delete("/{customer_id}")
@needs(Need.SUPERADMIN)
def remove_customer(actor: SignedIn, customer_id: int, response: Response) -> Removal:
    """Remove a customer with its bots; 202 while its data is kept, or a worker still removes its bots."""
    customer_for(actor, customer_id, needs=Role.VIEWER)
    superadmin_only(actor)
    departure = turning.remove_customer(customer_id)
    if departure.state == "removing":
        response.status_code = 202
    seen = reading.bots_of_customer(customer_id, after=0, limit=_MOST_BOTS)
    return Removal(
        id=customer_id, state=departure.state, bots=[bot.id for bot, _ in seen], purge_after=departure.kept_until
    )


def _with_bot(customer: Customer, bot_id: int | None) -> CustomerWithBot:
    seen = None if bot_id is None else reading.bot_of_customer(customer.id, bot_id)
    shown = CustomerShown.of(customer).model_dump()
    return CustomerWithBot(**shown, bot=None if seen is None else BotShown.of(*seen))


def _with_bots(customer: Customer) -> CustomerWithBots:
    seen = reading.bots_of_customer(customer.id, after=0, limit=_MOST_BOTS)
    following = reading.next_of([bot.id for bot, _ in seen], _MOST_BOTS)
    shown = [BotShown.of(*one) for one in seen]
    return CustomerWithBots(**CustomerShown.of(customer).model_dump(), bots=shown, next=following)
