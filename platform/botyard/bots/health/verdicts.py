"""What is known of a bot's health: its last check in words, and who is told when it changes. See docs/bots.md."""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from botyard.bots.connection.doors import host_in
from botyard.bots.connection.steps import State, Step
from botyard.bots.health.troubles import tell_admin
from botyard.events import DomainEvent, HealthCheckFailed, HealthCheckPassed, record
from botyard.telemetry import metrics
from botyard.telemetry.redaction import redact
from db.engine import get_sessions
from db.models import Bot, BotHealth

_RECENT_SECONDS: Final = 900.0
"""A failed delivery may be of now as long as Telegram's next try may be still to come."""
_REMEDIES: Final = (
    ("certificate", "Renew the certificate of the address in PUBLIC_URL."),
    ("ssl", "Look at the TLS of the address in PUBLIC_URL."),
    ("resolve", "The name in PUBLIC_URL is not known to the DNS."),
    ("connection refused", "Nothing listens at that address: is the web process running, is the proxy right?"),
    ("timed out", "Telegram does not reach that address: look at the firewall and the proxy."),
    ("401", "Telegram was told its secret; a proxy that asks for a password must let /webhook/ through without one."),
    ("404", "The proxy does not hand /webhook/ on to the web process."),
    ("503", "The web process cannot take updates: see `botyard doctor`."),
)

# Whoever works for a bot says so often; its row is written twice an hour at most.
_RENEW: Final = text("""
UPDATE bot_health SET contacted_at = now()
 WHERE bot_id = ANY(:bots) AND (contacted_at IS NULL OR contacted_at < now() - interval '30 min')
""")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check has found.

    Args:
        state: whether it is as it should be.
        reason: one word for programs; empty when all is well.
        says: a sentence for people.
        remedy: what to do; empty when there is nothing to do.
        answered: whether Telegram has answered for the bot's token.
        facts: columns of `BotHealth` that the check has found out.
        events: what has happened besides.
    """

    state: State
    reason: str
    says: str
    remedy: str = ""
    answered: bool = True
    facts: Mapping[str, Any] = field(default_factory=dict)
    events: tuple[DomainEvent, ...] = ()

    @property
    def step(self) -> Step:
        """The same as a step of a longer work."""
        return Step(self.reason or "health", self.state, self.says, self.remedy)


def judge_deliveries(info: Mapping[str, Any], last_update: datetime | None) -> Verdict:
    """What Telegram says of its deliveries to our webhook.

    Args:
        info: a ``WebhookInfo`` whose address is ours.
        last_update: when the bot's last update came.
    """
    pending = int(info.get("pending_update_count", 0))
    facts = {"pending": pending, "webhook_host": host_in(str(info.get("url", "")))}
    waiting = f" {pending} updates wait at Telegram." if pending else ""
    failed = info.get("last_error_date")
    if not failed:
        state: State = "warning" if pending else "ok"
        says = f"Its webhook leads here, to {facts['webhook_host']}.{waiting}"
        return Verdict(state, "pending" if pending else "", says, facts=facts)
    message = redact(str(info.get("last_error_message", "")))
    words = f"Telegram's last failed delivery was {lasting(time.time() - float(failed))} ago: {message}."
    if not pending and last_update is not None and last_update.timestamp() > failed:
        return Verdict("ok", "", f"{words} Updates have come since.", facts=facts)
    # Telegram tries again and again, and remembers the failure for ever: what is old and left nothing is over.
    if not pending and time.time() - failed > _RECENT_SECONDS:
        return Verdict("ok", "", f"{words} Nothing waits there any more.", facts=facts)
    return Verdict("trouble", "deliveries", f"{words}{waiting}", _remedy_of(message), facts=facts)


def lasting(seconds: float) -> str:
    """A time in words, in its largest unit."""
    for unit, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
    count = max(int(seconds), 0)
    return f"{count} second" if count == 1 else f"{count} seconds"


def _remedy_of(message: str) -> str:
    """What to do about the usual words of Telegram."""
    words = message.lower()
    for part, remedy in _REMEDIES:
        if part in words:
            return remedy
    return "Telegram must reach /webhook/ of the web process from outside."


def health_row(session: Session, bot: Bot) -> BotHealth:
    """The row of a bot's health, made if it is not there, and locked for the caller's transaction."""
    made = insert(BotHealth).values(bot_id=bot.id, customer_id=bot.customer_id).on_conflict_do_nothing()
    session.execute(made)
    row = session.get(BotHealth, bot.id, with_for_update=True, populate_existing=True)
    assert row is not None  # noqa: S101 - made above
    return row


def renew_contacts(bots: Collection[int]) -> None:
    """Telegram has just answered for the tokens of these bots, outside of a check: it knows them for another hour."""
    with get_sessions("system").begin() as session:
        session.execute(_RENEW, {"bots": sorted(bots)})


def note(bot_id: int, verdict: Verdict, next_check: timedelta | None = None) -> None:
    """Keep what a check has found; who watches the bot is told once when a trouble begins, and once when it ends.

    What cannot be found out now changes nothing of a trouble that was found before.

    Args:
        bot_id: the bot's row; one that is gone has no health.
        verdict: what was found.
        next_check: when to look again; none: as it was.
    """
    metrics.CHECKS.inc(state=verdict.state)
    now = datetime.now(UTC)
    with get_sessions("system").begin() as session:
        bot = session.get(Bot, bot_id)
        if bot is None:
            return
        row = health_row(session, bot)
        for event in verdict.events:
            record(session, bot, event)
        if verdict.answered:
            row.contacted_at = now
        if next_check is not None:
            row.next_check = now + next_check
        row.checked_at = now
        for name, value in verdict.facts.items():
            setattr(row, name, value)
        if verdict.answered or row.state != "trouble":
            _change(session, bot, row, verdict, now)


def _change(session: Session, bot: Bot, row: BotHealth, verdict: Verdict, now: datetime) -> None:
    state, reason = row.state, row.reason or ""
    row.state, row.reason = verdict.state, verdict.reason or None
    row.says = f"{verdict.says} {verdict.remedy}".strip()
    if (state, reason) == (verdict.state, verdict.reason):
        return
    row.since = now
    if verdict.state == "trouble":
        record(session, bot, HealthCheckFailed(verdict.reason, row.says))
        tell_admin(session, bot, f"@{bot.username}: {row.says}")
    elif state == "trouble":
        record(session, bot, HealthCheckPassed(reason))
        tell_admin(session, bot, f"@{bot.username} is well again. {verdict.says}")


@dataclass(frozen=True, slots=True)
class Health:
    """The last check of a bot."""

    health: str
    health_says: str | None
    health_since: datetime | None
    checked: datetime | None
    proven: datetime | None
    """When a probe of our own last came back through its webhook's address."""
    pending: int | None
    """Updates that wait at Telegram."""


def health_of(bot_id: int) -> Health:
    """What is known of a bot's health."""
    with get_sessions("system")() as session:
        row = session.get(BotHealth, bot_id)
    if row is None:
        return Health("unknown", None, None, None, None, None)
    return Health(row.state, row.says, row.since, row.checked_at, row.proven_at, row.pending)
