"""``/api/v1/bots/{bot}/health`` and ``…/days``: how a bot is, and what it did."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from botyard.accounts import reading
from botyard.accounts.access import bot_for
from botyard.accounts.roles import Role
from botyard.accounts.scopes import Scope
from botyard.errors import InputError
from botyard.web.api.ids import BotId
from botyard.web.api.pages import Page, PageAsked
from botyard.web.api.rights import SignedIn, needs
from botyard.web.api.routes import Route
from botyard.web.api.shapes import Shown, Time
from botyard.web.api.v1.bots import HealthState

router = APIRouter(prefix="/bots/{bot}", route_class=Route, tags=["bots"])


class BotHealthSeen(Shown):
    """What the last health check of a bot found, and who else lives on its webhook."""

    state: HealthState
    reason: str | None = Field(description="One word for programs.")
    says: str | None = Field(description="A sentence for people, with its remedy.")
    since: Time | None
    checked_at: Time | None
    next_check: Time | None
    proven_at: Time | None = Field(description="When a probe of ours last came back through its webhook's address.")
    pending: int | None = Field(description="Updates that wait at Telegram.")
    webhook_host: str | None
    thief_host: str | None = Field(description="Another system that has set its webhook.")
    take_back_at: Time | None = Field(description="Not before then it is taken back.")


class DayShown(Shown):
    """What a bot did on one day (UTC)."""

    day: date
    updates: int
    dead_updates: int
    sent: int
    unsent: int = Field(description="Sends that were given up.")
    uncertain: int = Field(description="Sends whose outcome is not known.")


@router.get("/health")
@needs(Role.VIEWER, Scope.BOTS_READ)
def show_health(actor: SignedIn, bot: BotId) -> BotHealthSeen:
    """How a bot's connection to Telegram is, as the last health check found it."""
    found = bot_for(actor, bot, needs=Role.VIEWER)
    seen = reading.bot_of_customer(found.customer_id, found.id)
    health = None if seen is None else seen[1]
    names = BotHealthSeen.model_fields
    values = dict.fromkeys(names) | {"state": "unknown"}
    return BotHealthSeen.model_validate(values if health is None else {name: getattr(health, name) for name in names})


@router.get("/days")
@needs(Role.VIEWER, Scope.BOTS_READ)
def list_days(
    actor: SignedIn,
    bot: BotId,
    asked: PageAsked,
    *,
    since: Annotated[date | None, Query(description="From this day on, as 2026-11-01.")] = None,
) -> Page[DayShown]:
    """What a bot did, day by day, the latest first; a day on which it did nothing is not there."""
    found = bot_for(actor, bot, needs=Role.VIEWER)
    after = asked.after(str)
    days = reading.days_of(found, None if after is None else _day(after[0]), asked.limit + 1, since)
    shown = days[: asked.limit]
    following = [shown[-1].day.isoformat()] if len(days) > len(shown) else None
    names = DayShown.model_fields
    return Page.of(
        asked, [DayShown.model_validate({name: getattr(one, name) for name in names}) for one in shown], following
    )


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        problem = "is not one that this list gave."
        raise InputError("cursor", problem, "Follow `next` of the answer before, or begin anew.") from None
