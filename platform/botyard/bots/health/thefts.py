"""Two systems on one webhook: whose address it is, and what is said of another one that has it. See docs/bots.md."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from botyard.bots.connection.doors import public_id_in, webhook_url
from botyard.bots.connection.webhooks import Connection
from botyard.bots.health.verdicts import Verdict
from botyard.events import WebhookSet, WebhookStolen
from botyard.telemetry import metrics

FIRST_PAUSE: Final = timedelta(minutes=10)
_LONGEST_PAUSE: Final = timedelta(hours=6)
PEACE: Final[dict[str, object]] = {"thief_host": None, "thefts": 0, "take_back_at": None}
"""What is known of a webhook that nobody else wants."""
PROGRAM: Final = "another program with this token"
"""Stands for the host of whoever deletes a webhook and sets none."""


def is_own(url: str, bot: Connection, base: str | None = None) -> bool:
    """Whether an address is one that Telegram was given for this bot by us, now or at any time before.

    Args:
        url: the address.
        bot: which bot.
        base: where this installation is reached now.
    """
    return public_id_in(url) in bot.public_ids or (base is not None and url.startswith(webhook_url(base, "")))


def is_fought_for(bot: Connection) -> bool:
    """Whether its webhook is left to another system for the moment."""
    return bot.take_back_at is not None and datetime.now(UTC) < bot.take_back_at


def taken(bot: Connection, thief: str, take_back_at: datetime | None = None) -> Verdict:
    """Another system has a bot's webhook, and is left alone for the moment.

    Args:
        bot: whose webhook.
        thief: the other one's host, or `PROGRAM`.
        take_back_at: when it is taken back; as was said before if not given.
    """
    until = take_back_at or bot.take_back_at or datetime.now(UTC)
    says = f"Its updates go to another system, {thief}"
    if bot.thefts:
        did = f"{thief} has {'deleted' if thief == PROGRAM else 'set'} its webhook again"
        says = f"Two systems fight for its updates: {did}, after it was taken back {_times(bot.thefts)}"
    says += f". It is taken back at {until:%H:%M} UTC."
    remedy = f"End it there first; `botyard bot reclaim {bot.id}` takes it back at once."
    facts = {"thief_host": thief, "webhook_host": _host_of(thief), "take_back_at": until}
    return Verdict("trouble", "stolen", says, remedy, facts=facts, events=_news(bot, thief))


def taken_back(bot: Connection, thief: str, host: str) -> Verdict:
    """It was taken back from another system; if it comes again, that is waited for.

    Args:
        bot: whose webhook.
        thief: the other one's host, or `PROGRAM`.
        host: ours.
    """
    pause = min(FIRST_PAUSE * 2 ** min(bot.thefts, 10), _LONGEST_PAUSE)
    facts: dict[str, Any] = {
        "thief_host": thief, "webhook_host": host, "thefts": bot.thefts + 1, "take_back_at": datetime.now(UTC) + pause,
    }  # fmt: skip
    says = f"Another system, {thief}, had set its webhook; it was taken back."
    remedy = "End it there: whoever sets it last gets the updates."
    if thief == PROGRAM:
        says = "Another program with this token had deleted its webhook; it was set again."
        remedy = "End that program: whoever fetches with this token gets the updates."
    remedy += f" If it comes again, we wait {_lasting(pause)}."
    events = (*_news(bot, thief), WebhookSet("stolen"))
    return Verdict("trouble", "stolen", says, remedy, facts=facts, events=events)


def _news(bot: Connection, thief: str) -> tuple[WebhookStolen, ...]:
    news = (WebhookStolen(thief),) if bot.reason != "stolen" or bot.thief_host != thief else ()
    metrics.THEFTS.inc(len(news))
    return news


def _host_of(thief: str) -> str | None:
    return None if thief == PROGRAM else thief


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _lasting(pause: timedelta) -> str:
    minutes = int(pause.total_seconds() // 60)
    return f"{minutes} minutes" if minutes < 60 else f"{minutes / 60:g} hours"
