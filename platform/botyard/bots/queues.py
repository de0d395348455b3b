"""Which worker pool a bot's updates go to. See docs/processing.md."""

import time
from typing import Final, Literal

import structlog
from sqlalchemy.orm import Session

from botyard.bots.registry import routings_of
from botyard.bots.routing import tell
from db.engine import get_sessions
from db.models import Bot, Event

log = structlog.get_logger(__name__)

REST_SECONDS: Final = 3600.0
"""A bot that was slow stays where slow ones are for so long: its next slow command may be rare."""
_SLOWED: Final = "slowed_at"


def change_queue(bot_id: int, queue: Literal["updates", "slow"], reason: str) -> bool:
    """Move a bot to another pool, unless its owner chose one for it; tickets that are under way stay where they are.

    Args:
        bot_id: the bot's row.
        queue: ``updates`` for the quick ones, ``slow`` for those that wait or block.
        reason: in a person's words.

    Returns:
        Whether it was moved by this call.
    """
    with get_sessions("system").begin() as session:
        bot = session.get(Bot, bot_id, with_for_update=True)
        if bot is None or bot.queue == queue or "queue" in bot.settings:
            return False
        now = time.time()
        if queue == "updates" and now - bot.settings.get(_SLOWED, 0.0) < REST_SECONDS:
            return False
        bot.queue = queue
        if queue == "slow":
            bot.settings = {**bot.settings, _SLOWED: now}
        bot.config_version += 1
        _say(session, bot, "bot.queue", {"queue": queue, "reason": reason})
        routes = routings_of(session, [bot])
    log.info("bot_moved", bot=bot_id, queue=queue, reason=reason)
    tell(routes)
    return True


def note_blocking(bot_id: int, place: str, seconds: float) -> None:
    """A handler blocked its event loop: say where, and let the bot work where it holds up nobody else.

    Args:
        bot_id: the bot's row.
        place: the line of the bot's code.
        seconds: for how long it has blocked so far.
    """
    log.error("loop_blocked", bot=bot_id, place=place, seconds=round(seconds, 1))
    with get_sessions("system").begin() as session:
        bot = session.get(Bot, bot_id)
        if bot is not None:
            _say(session, bot, "bot.blocked", {"place": place})
    change_queue(bot_id, "slow", f"it blocks its loop at {place}")


def _say(session: Session, bot: Bot, kind: str, data: dict[str, str]) -> None:
    entity = f"telegram:{bot.telegram_id}"
    session.add(Event(customer_id=bot.customer_id, bot_id=bot.id, type=kind, entity=entity, actor="botyard", data=data))
