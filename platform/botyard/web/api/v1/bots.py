"""``/api/v1/bots``."""

from fastapi import APIRouter, Response

from botyard.accounts import reading
from botyard.accounts.access import bot_for
from botyard.accounts.roles import Role
from botyard.accounts.scopes import Scope
from botyard.web.api.ids import BotId
from botyard.web.api.rights import SignedIn, needs
from botyard.web.api.routes import Route
from botyard.web.api.shapes import BotShown
from botyard.web.api.versions import tagged

router = APIRouter(prefix="/bots", route_class=Route, tags=["bots"])


@router.get("/{bot}")
@needs(Role.VIEWER, Scope.BOTS_READ)
def show_bot(actor: SignedIn, bot: BotId, response: Response) -> BotShown:
    """One bot: its status with the reason, since when, and its health."""
    found = bot_for(actor, bot, needs=Role.VIEWER)
    shown = BotShown.of(*(reading.bot_of_customer(found.customer_id, found.id) or (found, None)))
    return tagged(response, found.config_version, shown)
