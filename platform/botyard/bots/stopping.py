"""Stopping a bot that cannot work, so that it says so and bothers nobody. See docs/bots.md."""

from typing import Final

import structlog

from botyard.bots.registry import routings_of
from botyard.bots.routing import tell
from botyard.bots.statuses import change_status
from db.engine import get_sessions
from db.models import Bot

log = structlog.get_logger(__name__)

REFUSED: Final = (
    "Telegram refuses its token (401): it was revoked or replaced. Give its present token to `botyard bot add`"
)

PAUSED: Final = "; it was paused before"
"""The end of the reason for which a paused bot was stopped."""
_STOPPABLE: Final = ("active", "maintenance", "paused")


def stop_bot(bot_id: int, config_version: int, reason: str) -> bool:
    """Stop a bot until somebody mends it: its updates and its sends wait. Of a paused one the reason says that it was.

    Args:
        bot_id: the bot's row.
        config_version: what the trouble was found with; a bot that was changed since goes on.
        reason: in a person's words.

    Returns:
        Whether it was stopped by this call.
    """
    with get_sessions("system").begin() as session:
        bot = session.get(Bot, bot_id, with_for_update=True)
        if bot is None or bot.config_version != config_version or bot.status not in _STOPPABLE:
            return False
        if bot.status == "paused":
            reason = f"{reason}{PAUSED}"
        if not change_status(session, bot, "error", reason):
            return False
        routes = routings_of(session, [bot])
    log.error("bot_stopped", bot=bot_id, reason=reason)
    tell(routes)
    return True
