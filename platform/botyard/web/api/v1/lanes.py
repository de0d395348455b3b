"""``/api/v1/lanes``: what waits to be processed and to be sent, for what, and since when."""

from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import Field

from botyard.accounts import reading
from botyard.accounts.access import bot_for
from botyard.accounts.roles import Role
from botyard.accounts.scopes import Scope
from botyard.bots.lanes import Closure, Lanes, LaneState, lanes_of
from botyard.bots.searching import BotsWanted
from botyard.settings import get_settings
from botyard.web.api.ids import BotId, ShownBotId
from botyard.web.api.pages import Page, PageAsked
from botyard.web.api.rights import SignedIn, needs
from botyard.web.api.routes import Route
from botyard.web.api.shapes import Shown, Time

router = APIRouter(prefix="/lanes", route_class=Route, tags=["lanes"])


class LaneShown(Shown):
    """One lane of one bot: its mailboxes (`updates`), or a lane of what it sends."""

    lane: str
    waiting: int
    oldest_seconds: float = Field(description="For how long the oldest has waited.")
    causes: dict[str, int] = Field(description="What they wait for, and how many do.")
    error: str | None = Field(description="The last answer to one that is tried again.")
    given_up: dict[str, int] = Field(description="How many ended unsent since the figures began, by state.")

    @classmethod
    def of(cls, state: LaneState) -> Self:
        """The same for the wire."""
        names = cls.model_fields
        return cls.model_validate({name: getattr(state, name) for name in names})


class ClosureShown(Shown):
    """A chat, or a whole bot, that Telegram closed with 429."""

    chat: str | None = Field(description="Null: the whole bot.")
    opens_at: Time

    @classmethod
    def of(cls, closure: Closure) -> Self:
        """The same for the wire."""
        return cls(chat=closure.chat or None, opens_at=closure.opens_at)


class BotLanes(Shown):
    """What waits of one bot; lanes in which nothing waits and nothing was given up are left out."""

    bot_id: ShownBotId
    lanes: list[LaneShown]
    closed: list[ClosureShown]


@router.get("")
@needs(Role.VIEWER, Scope.BOTS_READ)
def list_lanes(
    actor: SignedIn,
    asked: PageAsked,
    *,
    bot: Annotated[BotId | None, Query(description="Of this bot only.")] = None,
) -> Page[BotLanes]:
    """What waits, bot by bot, for what, and which chats Telegram has closed until when."""
    if bot is not None:
        bots, following = [bot_for(actor, bot, needs=Role.VIEWER)], None
    else:
        after = asked.after(int)
        place = None if after is None else (0, after[0])
        found = reading.bots_page(actor, BotsWanted(), place, asked.limit + 1)
        bots = [one for one, _ in found[: asked.limit]]
        following = [bots[-1].id] if len(found) > len(bots) else None
    waiting = lanes_of(bots, get_settings())
    return Page.of(asked, [_shown(one.id, waiting[one.id]) for one in bots], following)


def _shown(bot_id: int, waiting: Lanes) -> BotLanes:
    return BotLanes(
        bot_id=bot_id, lanes=[LaneShown.of(lane) for lane in waiting.lanes],
        closed=[ClosureShown.of(closure) for closure in waiting.closed],
    )  # fmt: skip
