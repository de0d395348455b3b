"""``/api/v1/endpoints``: addresses to which a customer's events are sent, and what became of each."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, Self

from fastapi import APIRouter, Query, Response
from pydantic import ConfigDict, Field, JsonValue

from botyard.accounts.access import Actor, customer_for
from botyard.accounts.roles import Role
from botyard.accounts.scopes import Scope
from botyard.endpoints import managing, reading, recovering
from botyard.endpoints.managing import Changes, NewEndpoint, WithSecret
from botyard.errors import InputError
from botyard.web.api.ids import (
    BotId,
    CustomerId,
    EndpointId,
    EndpointMessageId,
    ShownBotId,
    ShownCustomerId,
    ShownEndpointId,
    ShownEndpointMessageId,
    ShownEventId,
)
from botyard.web.api.pages import Page, PageAsked
from botyard.web.api.rights import SignedIn, creates, needs
from botyard.web.api.routes import Route
from botyard.web.api.shapes import Given, GivenTime, Shown, Time
from botyard.web.api.versions import Expected, tagged
from db.models import Endpoint, EndpointAttempt, EndpointMessage

of_customers = APIRouter(prefix="/customers/{customer}/endpoints", route_class=Route, tags=["endpoints"])
router = APIRouter(prefix="/endpoints", route_class=Route, tags=["endpoints"])

Status = Literal["active", "disabled"]
State = Literal["waiting", "delivered", "failed", "discarded"]
_URL: Final = "https://hooks.example.org/telegram"
_EXAMPLE: Final[dict[str, JsonValue]] = {
    "id": "end_2", "customerId": "cus_12", "url": _URL, "description": None, "types": ["bot.stopped"], "bots": None,
    "status": "active", "statusReason": None, "failingSince": None, "createdAt": "2026-11-22T02:00:00.000Z",
    "version": 1,
}  # fmt: skip
_TYPES: Final = "Types of events; null: all but `message.received` and `update.processed`."
_BOTS: Final = "Events of these bots only; null: of all."
Url = Annotated[str, Field(max_length=2000, description="https, on the internet.")]
Types = Annotated[list[str], Field(max_length=50)]
Bots = Annotated[list[BotId], Field(max_length=1000)]


def _text(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("is a time as 2026-11-22T02:00:00Z")  # noqa: TRY004 - what pydantic explains
    return value


class EndpointGiven(Given):
    """An endpoint to be made."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"url": _URL, "types": ["bot.stopped"]}]})

    url: Url
    description: str | None = Field(None, max_length=500)
    types: Types | None = Field(None, description=_TYPES)
    bots: Bots | None = Field(None, description=_BOTS)


class EndpointChange(Given):
    """What is changed of an endpoint; what is not named stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "active"}]})

    url: Url | None = None
    description: str | None = Field(None, max_length=500)
    types: Types | None = Field(None, description=_TYPES)
    bots: Bots | None = Field(None, description=_BOTS)
    status: Status | None = Field(None, description="One that is switched on gets what happens from then on.")


class Since(Given):
    """From when on."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"since": "2026-11-21T00:00:00Z"}]})

    since: GivenTime = Field(description="Within the last 28 days; without a zone it is UTC.")


class EndpointShown(Shown):
    """An address to which events are sent."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: ShownEndpointId
    customer_id: ShownCustomerId
    url: str
    description: str | None
    types: list[str] | None = Field(description=_TYPES)
    bots: list[ShownBotId] | None = Field(description=_BOTS)
    status: Status
    status_reason: str | None = Field(description="Why it is disabled, if nobody did it by hand.")
    failing_since: Time | None = Field(description="Since when nothing was accepted; after five days it is disabled.")
    created_at: Time
    version: int = Field(description="As in `ETag`: counts its changes.")

    @classmethod
    def of(cls, endpoint: Endpoint) -> Self:
        """Of its row."""
        return cls(**_fields(endpoint))


class EndpointMade(EndpointShown):
    """An endpoint with its new secret."""

    secret: str | None = Field(
        description="What signs, as `whsec_…`: shown this once, and null when the request is repeated."
    )


class MessageShown(Shown):
    """One event on its way to one endpoint."""

    id: ShownEndpointMessageId = Field(description="As in the header `webhook-id`, at every attempt.")
    event_id: ShownEventId | None = Field(description="Null: a test.")
    type: str
    state: State
    attempts: int
    due: Time | None = Field(description="While it waits: when it is sent next.")
    created_at: Time
    ended_at: Time | None

    @classmethod
    def of(cls, message: EndpointMessage) -> Self:
        """Of its row."""
        return cls(**_of_message(message))


class AttemptShown(Shown):
    """One attempt to deliver a message."""

    at: Time
    milliseconds: int
    status: int | None = Field(description="The HTTP status; null: there was no answer.")
    error: str | None = Field(description="Why it does not count as delivered.")
    answer: str | None = Field(description="The beginning of what was answered.")

    @classmethod
    def of(cls, attempt: EndpointAttempt) -> Self:
        """Of its row."""
        return cls.model_validate({name: getattr(attempt, name) for name in cls.model_fields})


class MessageSeen(MessageShown):
    """A message with its body, and each attempt to deliver it."""

    body: str = Field(description="As it is signed and sent.")
    log: list[AttemptShown]


class Recovered(Shown):
    """What is sent again."""

    again: int = Field(description="Messages that failed or were discarded; what was never sent comes on top.")


def _made(actor: Actor, endpoint: int) -> EndpointMade:
    return EndpointMade(**_fields(reading.endpoint_for(actor, endpoint, needs=Role.MANAGER)), secret=None)


def _message(actor: Actor, message: int) -> MessageShown:
    return MessageShown.of(reading.message_for(actor, message, needs=Role.MANAGER))


def _recovered(actor: Actor, endpoint: int, again: int) -> Recovered:
    reading.endpoint_for(actor, endpoint, needs=Role.MANAGER)
    return Recovered(again=again)


@of_customers.get("")
@needs(Role.MANAGER, Scope.ENDPOINTS_WRITE)
def list_endpoints(actor: SignedIn, customer: CustomerId, asked: PageAsked) -> Page[EndpointShown]:
    """The endpoints of a customer."""
    customer_for(actor, customer, needs=Role.MANAGER)
    (after,) = asked.after(int) or (0,)
    found = reading.endpoints_of(actor, customer, after, asked.limit + 1)
    shown = [EndpointShown.of(endpoint) for endpoint in found[: asked.limit]]
    return Page.of(asked, shown, [shown[-1].id] if len(found) > asked.limit else None)


@of_customers.post("", status_code=201)
@needs(Role.MANAGER, Scope.ENDPOINTS_WRITE)
@creates(_made, secret=True)
def add_endpoint(actor: SignedIn, customer: CustomerId, new: EndpointGiven, response: Response) -> EndpointMade:
    """Make an endpoint: it gets what happens from now on. At most 20 for each customer."""
    customer_for(actor, customer, needs=Role.MANAGER)
    _within(actor, new.bots)
    made = managing.add_endpoint(customer, NewEndpoint(new.url, new.description, new.types, new.bots))
    response.headers["Location"] = f"/api/v1/endpoints/end_{made.endpoint.id}"
    return _with_secret(response, made)


@router.get("/{endpoint}")
@needs(Role.MANAGER, Scope.ENDPOINTS_WRITE)
def show_endpoint(actor: SignedIn, endpoint: EndpointId, response: Response) -> EndpointShown:
    """One endpoint."""
    return _tagged(response, reading.endpoint_for(actor, endpoint, needs=Role.MANAGER))


@router.patch("/{endpoint}")
@needs(Role.MANAGER, Scope.ENDPOINTS_WRITE)
def change_endpoint(
    actor: SignedIn, endpoint: EndpointId, change: EndpointChange, expected: Expected, response: Response
) -> EndpointShown:
    """Change an endpoint, switch it off or on."""
    reading.endpoint_for(actor, endpoint, needs=Role.MANAGER)
    named = change.model_fields_set
    changes: Changes = {}
    if change.url is not None:
        changes["url"] = change.url
    if change.status is not None:
        changes["status"] = change.status
    if "description" in named:
        changes["description"] = change.description
    if "types" in named:
        changes["types"] = change.types
    if "bots" in named:
        _within(actor, change.bots)
        changes["bots"] = change.bots
    return _tagged(response, managing.change_endpoint(endpoint, changes, expected))


@router.delete("/{endpoint}", status_code=204)
@needs(Role.MANAGER, Scope.ENDPOINTS_WRITE)
def remove_endpoint(actor: SignedIn, endpoint: EndpointId, expected: Expected) -> None:
    """Remove an endpoint, with the record of what was sent to it."""
    reading.endpoint_for(actor, endpoint, needs=Role.MANAGER)
    managing.remove_endpoint(endpoint, expected)


@router.post("/{endpoint}/rotate-secret", status_code=201)
@needs(Role.MANAGER, Scope.ENDPOINTS_WRITE)
@creates(_made, secret=True)
def rotate_secret(actor: SignedIn, endpoint: EndpointId, response: Response) -> EndpointMade:
    """Give it another secret; for 24 hours what is sent carries a signature of each."""
    reading.endpoint_for(actor, endpoint, needs=Role.MANAGER)
    return _with_secret(response, managing.rotate_secret(endpoint))


@router.post("/{endpoint}/test", status_code=201)
@needs(Role.MANAGER, Scope.ENDPOINTS_WRITE)
@creates(_message)
def send_test(actor: SignedIn, endpoint: EndpointId) -> MessageShown:
    """Send a message of the type `endpoint.test`, whichever types it takes."""
    reading.endpoint_for(actor, endpoint, needs=Role.MANAGER)
    return MessageShown.of(recovering.send_test(endpoint))


@router.post("/{endpoint}/recover", status_code=202)
@needs(Role.MANAGER, Scope.ENDPOINTS_WRITE)
@creates(_recovered, status=202)
def recover(actor: SignedIn, endpoint: EndpointId, since: Since) -> Recovered:
    """Send all that was not delivered since then: what failed, and what happened while the endpoint was disabled."""
    reading.endpoint_for(actor, endpoint, needs=Role.MANAGER)
    return Recovered(again=recovering.recover(endpoint, since.since))


@router.get("/{endpoint}/messages")
@needs(Role.MANAGER, Scope.ENDPOINTS_WRITE)
def list_endpoint_messages(
    actor: SignedIn,
    endpoint: EndpointId,
    asked: PageAsked,
    *,
    state: Annotated[State | None, Query(description="In this state only.")] = None,
) -> Page[MessageShown]:
    """What was and is to be sent there, the latest first; for 30 days."""
    found_endpoint = reading.endpoint_for(actor, endpoint, needs=Role.MANAGER)
    (before,) = asked.after(int) or (None,)
    found = reading.messages_of(found_endpoint, before, state, asked.limit + 1)
    shown = [MessageShown.of(message) for message in found[: asked.limit]]
    return Page.of(asked, shown, [shown[-1].id] if len(found) > asked.limit else None)


@router.get("/{endpoint}/messages/{message}")
@needs(Role.MANAGER, Scope.ENDPOINTS_WRITE)
def show_message(actor: SignedIn, endpoint: EndpointId, message: EndpointMessageId) -> MessageSeen:
    """One message with its body, and what was answered at each attempt."""
    found = reading.message_of(reading.endpoint_for(actor, endpoint, needs=Role.MANAGER), message)
    log = [AttemptShown.of(attempt) for attempt in found.attempts]
    return MessageSeen(**_of_message(found.message), body=found.message.body, log=log)


@router.post("/{endpoint}/messages/{message}/resend")
@needs(Role.MANAGER, Scope.ENDPOINTS_WRITE)
@creates(_message, status=200)
def resend(actor: SignedIn, endpoint: EndpointId, message: EndpointMessageId) -> MessageShown:
    """Send a message again, under its id, whatever became of it."""
    reading.message_of(reading.endpoint_for(actor, endpoint, needs=Role.MANAGER), message)
    return MessageShown.of(recovering.resend(message))


def _within(actor: Actor, bots: Sequence[int] | None) -> None:
    """Who is bound to bots binds endpoints to these."""
    if actor.bots is not None and (bots is None or set(bots) - actor.bots):
        raise InputError("bots", "must be some of those that your API key is for.", "Name them.")


def _with_secret(response: Response, made: WithSecret) -> EndpointMade:
    response.headers["Cache-Control"] = "no-store"
    return tagged(response, made.endpoint.version, EndpointMade(**_fields(made.endpoint), secret=made.secret))


def _tagged(response: Response, endpoint: Endpoint) -> EndpointShown:
    return tagged(response, endpoint.version, EndpointShown.of(endpoint))


def _fields(endpoint: Endpoint) -> dict[str, Any]:
    return {name: getattr(endpoint, name) for name in EndpointShown.model_fields}


def _of_message(message: EndpointMessage) -> dict[str, Any]:
    found = {name: getattr(message, name) for name in MessageShown.model_fields}
    return found | {"due": message.due if message.state == "waiting" else None}
