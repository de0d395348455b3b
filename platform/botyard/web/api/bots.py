"""``/api/bots``."""

from fastapi import APIRouter

from botyard.accounts import reading
from botyard.accounts.access import bot_for
from botyard.accounts.roles import Role
from botyard.web.api.rights import Need, Route, SignedIn, needs
from botyard.web.api.shapes import After, BotShown, Limit, Shown

router = APIRouter(prefix="/bots", route_class=Route)


class Bots(Shown):
    """A part of the bots."""

    bots: list[BotShown]
    next: int | None


@router.get("")
@needs(Need.SIGNED_IN)
def list_bots(actor: SignedIn, after: After = 0, limit: Limit = 50) -> Bots:
    """The bots of those for whom you act; all of them for a superadmin."""
    found, following = reading.bots_of(actor, after=after, limit=limit)
    return Bots(bots=[BotShown.of(*one) for one in found], next=following)


@router.get("/{bot_id}")
@needs(Role.VIEWER)
def show_bot(actor: SignedIn, bot_id: int) -> BotShown:
    """One bot: its status with the reason, since when, and its health."""
    bot = bot_for(actor, bot_id, needs=Role.VIEWER)
    return BotShown.of(*(reading.bot_of_customer(bot.customer_id, bot.id) or (bot, None)))
