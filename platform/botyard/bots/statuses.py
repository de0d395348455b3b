"""Whether a bot is served, and why not. See docs/bots.md."""

from datetime import UTC, datetime
from typing import Final, Literal

from sqlalchemy.orm import Session

from botyard.bots import errands
from botyard.bots.registry import routings_of
from botyard.bots.routing import tell
from botyard.errors import InputError, Stale
from botyard.events import BotRestarted, BotStarted, BotStopped, record
from db.engine import get_sessions
from db.models import Bot, Customer

Status = Literal["active", "inactive", "error", "paused", "maintenance"]
REMOVING: Final = "it is being removed"
SUSPENDED: Final = {
    "active": "its customer is suspended",
    "paused": "its customer is suspended; before that it was paused",
    "maintenance": "its customer is suspended; before that it was in maintenance",
}
"""What a suspension switches off, each with a reason that says what it was."""
LEAVING: Final = {
    "active": "its customer is being removed",
    "paused": "its customer is being removed; before that it was paused",
    "maintenance": "its customer is being removed; before that it was in maintenance",
}
"""The same for a removal."""
_OURS: Final = {REMOVING, *SUSPENDED.values(), *LEAVING.values()}
_SERVED: Final = ("active", "paused", "maintenance")


def change_status(session: Session, bot: Bot, status: Status, reason: str | None) -> bool:
    """Give a bot another status in the caller's transaction; after its commit say it to the mailboxes.

    Returns:
        Whether it was changed: not if it is so already, or the bot is being removed.

    Raises:
        InputError: it is to be served, and its customer is suspended, or is being removed.
    """
    if bot.status == status or bot.removal_began is not None:
        return False
    if status in _SERVED and (customer := session.get(Customer, bot.customer_id)) is not None:
        if customer.removal_began is not None:
            raise InputError("customer", "is being removed.", "`botyard customer restore` takes that back.")
        if customer.status != "active":
            raise InputError("customer", "is suspended.", "`botyard customer resume` lets its bots go on.")
    bot.status, bot.status_reason, bot.status_since = status, reason, datetime.now(UTC)
    bot.config_version += 1
    record(session, bot, BotStarted(reason or "") if status == "active" else BotStopped(status, reason or ""))
    return True


def begin_removal(bot: Bot) -> None:
    """Mark a bot as leaving, in the transaction of its row: it is served no longer, and nothing of it may come back."""
    # Also if it is asked for again: somebody may not have heard of it.
    bot.config_version += 1
    if bot.removal_began is None:
        bot.removal_began = now = datetime.now(UTC)
        # For code from before, which knows of no other mark.
        bot.status, bot.status_reason, bot.status_since = "inactive", REMOVING, now


def set_status(bot_id: int, status: Status, reason: str | None) -> bool:
    """Give a bot another status: while it is not active its updates wait, at Telegram or here.

    Returns:
        Whether that changed anything.

    Raises:
        InputError: there is no such bot, or it is to be served and its customer is not, or the reason is one by which a
            customer's bots are found again.
    """
    if reason in _OURS:
        raise InputError("reason", "is one that is given by itself only.", "Say it in other words.")
    with get_sessions("system").begin() as session:
        bot = _locked(session, bot_id)
        changed = change_status(session, bot, status, reason)
        routes = routings_of(session, [bot])
    tell(routes)
    return changed


def remove(bot_id: int, expected: int | None = None) -> None:
    """Serve a bot no longer, from now on; a worker then removes everything of it. Asked for again it is sent again.

    Raises:
        Stale: it was changed since it was seen.
        InputError: there is no such bot.
    """
    with get_sessions("system").begin() as session:
        bot = _locked(session, bot_id)
        if expected is not None and bot.config_version != expected:
            raise Stale(bot.config_version)
        begin_removal(bot)
        routes = routings_of(session, [bot])
    tell(routes)
    errands.remove_bots([bot_id])


def restart(bot_id: int) -> None:
    """Let every process build the bot's application anew.

    Raises:
        InputError: there is no such bot.
    """
    with get_sessions("system").begin() as session:
        bot = _locked(session, bot_id)
        bot.config_version += 1
        record(session, bot, BotRestarted())


def _locked(session: Session, bot_id: int) -> Bot:
    bot = session.get(Bot, bot_id, with_for_update=True)
    if bot is None:
        raise InputError("bot", f"there is no bot {bot_id}.", "`botyard bot list` shows them.")
    return bot
