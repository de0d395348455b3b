"""``/api/v1/customers``: who owns bots; making, suspending, removing and restoring them."""

from datetime import UTC, datetime
from typing import Annotated, Final, Literal, Self

from fastapi import APIRouter, Query, Response
from pydantic import ConfigDict, Field, JsonValue, SecretStr

from botyard.accounts import onboarding, reading, turning
from botyard.accounts.access import Actor, customer_for, superadmin_only
from botyard.accounts.listing import CustomerState, CustomersWanted, state_of
from botyard.accounts.roles import Role
from botyard.accounts.scopes import Scope
from botyard.web.api.ids import CustomerId, ShownBotId, ShownCustomerId
from botyard.web.api.pages import Page, PageAsked
from botyard.web.api.rights import Need, SignedIn, creates, needs
from botyard.web.api.routes import Route
from botyard.web.api.shapes import Given, Shown, Time
from botyard.web.api.versions import Expected, tagged
from db.engine import storable
from db.models import Customer

router = APIRouter(prefix="/customers", route_class=Route, tags=["customers"])

_EXAMPLE: Final[dict[str, JsonValue]] = {
    "id": "cus_12", "username": "acme", "name": "Acme & Sons", "status": "active", "purgeAfter": None,
    "createdAt": "2026-11-22T02:00:00.000Z", "version": 3,
}  # fmt: skip


class CustomerSeen(Shown):
    """A customer."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: ShownCustomerId
    username: str | None = Field(description="What it is called in commands; it stays.")
    name: str
    status: CustomerState
    purge_after: Time | None = Field(description="While it is being removed: until then it can be restored.")
    created_at: Time
    version: int = Field(description="As in `ETag`: counts its changes.")

    @classmethod
    def of(cls, customer: Customer) -> Self:
        """Of its row."""
        return cls(
            id=customer.id, username=customer.username, name=customer.name, status=state_of(customer),
            purge_after=customer.purge_after, created_at=customer.created_at, version=customer.version,
        )  # fmt: skip


class CustomerAdded(CustomerSeen):
    """A customer that was made, and its bot."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_EXAMPLE, "botId": "bot_31"}]})

    bot_id: ShownBotId | None


class CustomerGiven(Given):
    """A customer to be made, perhaps with a bot."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"username": "acme", "name": "Acme & Sons"}]})

    username: str = Field(max_length=64, description="2 to 64 small letters, digits, `_` and `-`, a letter first.")
    name: str | None = Field(None, max_length=200)
    bot_token: SecretStr | None = Field(None, max_length=200, description="If it is refused, no customer is made.")
    kind: str | None = Field(None, max_length=200, description="Of the bot.")


class CustomerChange(Given):
    """What is changed of a customer; what is not named stays."""

    name: str | None = Field(None, max_length=200)
    status: Literal["active", "suspended"] | None = Field(None, description="For superadmins.")


class CustomerRemoval(Shown):
    """How far the removal of a customer is."""

    id: ShownCustomerId
    state: Literal["removing", "removed"]
    purge_after: Time | None = Field(description="Until then it can be restored; null: it cannot.")


def _added(actor: Actor, customer: int, bot: int | None = None) -> CustomerAdded:
    found = customer_for(actor, customer, needs=Role.VIEWER)
    return CustomerAdded(**dict(CustomerSeen.of(found)), bot_id=bot)


def _again(actor: Actor, customer: int, response: Response) -> CustomerSeen:
    found = customer_for(actor, customer, needs=Role.VIEWER)
    return tagged(response, found.version, CustomerSeen.of(found))


@router.get("")
@needs(Need.SIGNED_IN, Scope.ACCOUNT_READ)
def list_customers(
    actor: SignedIn,
    asked: PageAsked,
    *,
    status: Annotated[CustomerState | None, Query(description="With this status only.")] = None,
    q: Annotated[str | None, Query(max_length=64, description="Whose usernames begin so.")] = None,
) -> Page[CustomerSeen]:
    """The customers for whom you act; all of them for a superadmin."""
    after = asked.after(int)
    wanted = CustomersWanted(status, None if q is None else storable(q))
    found = reading.customers_page(actor, wanted, after[0] if after else 0, asked.limit + 1)
    shown = found[: asked.limit]
    following = [shown[-1].id] if len(found) > len(shown) else None
    return Page.of(asked, [CustomerSeen.of(customer) for customer in shown], following)


@router.post("", status_code=201)
@needs(Need.SUPERADMIN, Scope.ACCOUNT_WRITE)
@creates(_added)
def add_customer(actor: SignedIn, new: CustomerGiven, response: Response) -> CustomerAdded:
    """Make a customer; if a bot's token is given, it is checked with Telegram first, and both are made or neither."""
    token = None if new.bot_token is None else new.bot_token.get_secret_value()
    customer, bot_id = onboarding.add_customer(new.username, new.name, token, new.kind)
    response.headers["Location"] = f"/api/v1/customers/cus_{customer.id}"
    return tagged(response, customer.version, _added(actor, customer.id, bot_id))


@router.get("/{customer}")
@needs(Role.VIEWER, Scope.ACCOUNT_READ)
def show_customer(actor: SignedIn, customer: CustomerId, response: Response) -> CustomerSeen:
    """One customer."""
    return _again(actor, customer, response)


@router.patch("/{customer}")
@needs(Role.MANAGER, Scope.ACCOUNT_WRITE)
def change_customer(
    actor: SignedIn, customer: CustomerId, change: CustomerChange, expected: Expected, response: Response
) -> CustomerSeen:
    """Call a customer something else; superadmins also suspend it, or let it go on.

    One that is suspended lets its people in no more, and its bots are switched off. Nothing is removed, and once it
    goes on everything is as it was.
    """
    customer_for(actor, customer, needs=Role.MANAGER)
    if change.status is not None:
        superadmin_only(actor)
    if change.name is not None or change.status is not None:
        turning.change_customer(customer, name=change.name, status=change.status, expected=expected)
    return _again(actor, customer, response)


@router.delete("/{customer}", status_code=202)
@needs(Need.SUPERADMIN, Scope.ACCOUNT_WRITE)
def remove_customer(
    actor: SignedIn,
    customer: CustomerId,
    expected: Expected,
    response: Response,
    *,
    now: Annotated[bool, Query(description="Keep nothing: it cannot be taken back.")] = False,
) -> CustomerRemoval:
    """Remove a customer with its bots. What is kept of it stays for a while, and until then that can be taken back.

    202 while it can be, or while a worker removes its bots; 200 when it is gone.
    """
    customer_for(actor, customer, needs=Role.VIEWER)
    superadmin_only(actor)
    departure = turning.remove_customer(customer, now=now, expected=expected)
    kept = departure.kept_until if departure.kept_until and departure.kept_until > datetime.now(UTC) else None
    if departure.state == "removed":
        response.status_code = 200
    return CustomerRemoval(id=customer, state=departure.state, purge_after=kept)


@router.post("/{customer}/restore")
@needs(Need.SUPERADMIN, Scope.ACCOUNT_WRITE)
def restore_customer(actor: SignedIn, customer: CustomerId, response: Response) -> CustomerSeen:
    """Take the removal of a customer back, while it is kept: it, its people and its bots are as they were."""
    customer_for(actor, customer, needs=Role.VIEWER)
    superadmin_only(actor)
    turning.restore_customer(customer)
    return _again(actor, customer, response)
