"""``/api/v1/events``: what happened, in an order in which nobody misses anything."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field, JsonValue

from botyard.accounts import reading
from botyard.accounts.access import bot_for
from botyard.accounts.roles import Role
from botyard.accounts.scopes import Scope
from botyard.endpoints.bodies import details_of
from botyard.endpoints.settled import Chosen, place_of, place_of_id, settled_events
from botyard.errors import InputError
from botyard.events import event_types
from botyard.web.api.ids import BotId, CustomerId, EventId, ShownBotId, ShownCustomerId, ShownEventId
from botyard.web.api.pages import Page, PageAsked
from botyard.web.api.rights import SignedIn, needs
from botyard.web.api.routes import Route
from botyard.web.api.shapes import Shown, Time
from db.models import Event

router = APIRouter(prefix="/events", route_class=Route, tags=["events"])

_EXAMPLE: Final[dict[str, JsonValue]] = {
    "id": "evt_1201", "type": "bot.stopped", "at": "2026-11-22T02:00:00.000Z", "customerId": "cus_12",
    "botId": "bot_31", "details": {"status": "paused", "reason": "lunch"},
}  # fmt: skip


class EventShown(Shown):
    """Something that happened; endpoints get the same as `data`."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: ShownEventId
    type: str
    at: Time
    customer_id: ShownCustomerId
    bot_id: ShownBotId | None
    details: dict[str, Any] = Field(description="Depends on the type.")

    @classmethod
    def of(cls, event: Event) -> "EventShown":
        """Of its row."""
        return cls(
            id=event.id, type=event.type, at=event.at, customer_id=event.customer_id, bot_id=event.bot_id,
            details=details_of(event),
        )  # fmt: skip


@router.get("")
@needs(Role.OPERATOR, Scope.EVENTS_READ)
def list_events(
    actor: SignedIn,
    asked: PageAsked,
    *,
    customer: Annotated[CustomerId | None, Query(description="For somebody who acts for more than one.")] = None,
    after: Annotated[EventId | None, Query(description="The last event that you have read.")] = None,
    bot: Annotated[BotId | None, Query(description="Of this bot only.")] = None,
    type: Annotated[str | None, Query(max_length=64, description="Of this type only.")] = None,  # noqa: A002 - its name
) -> Page[EventShown]:
    """What happened, the earliest first.

    An event appears when every transaction that began before its own has ended, mostly at once. So nothing ever appears
    before what was read: whoever goes on behind the last one that they know misses none.
    """
    own = reading.own_customer(actor, customer, needs=Role.OPERATOR)
    if type is not None and type not in event_types():
        raise InputError("type", "is no type of event.", f"Choose from: {', '.join(sorted(event_types()))}.")
    bots = actor.bots
    if bot is not None:
        bot_for(actor, bot, needs=Role.OPERATOR)
        bots = frozenset({bot})
    place = asked.after(int, int)
    if place is None and after is not None:
        place = place_of_id(own.id, after)
    behind = None if place is None else (place[0], place[1])
    chosen = Chosen(bots, None if type is None else frozenset({type}))
    found = settled_events(own.id, behind, chosen, asked.limit + 1)
    shown = found[: asked.limit]
    following = place_of(shown[-1]) if len(found) > asked.limit else None
    return Page.of(asked, [EventShown.of(event) for event in shown], following)
