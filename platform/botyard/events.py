"""What happens to bots, as small facts: written in the transaction that causes them, told after its commit.

A row of ``events`` is written with the change itself, so there is none without the other. Whoever listens hears only
its number (`db.changes`), and reads the rest where its rights are checked.
"""

from dataclasses import asdict, dataclass
from typing import ClassVar, Final

from sqlalchemy.orm import Session

from db.acting import actor
from db.models import Bot, Event

WRITTEN_BY_STATEMENTS: Final = frozenset({"update.processed", "update.dead", "chat.unreachable", "chat.moved"})
"""Types of events that are written by the statements of what causes them, and by nobody else."""
FREQUENT: Final = frozenset({"message.received", "update.processed"})
"""Types of events of which each update of a person is one."""


class DomainEvent:
    """Something that happened; its fields become the row's ``data``."""

    type: ClassVar[str]


@dataclass(frozen=True, slots=True)
class BotAdded(DomainEvent):
    """A bot was registered."""

    type: ClassVar[str] = "bot.added"


@dataclass(frozen=True, slots=True)
class BotStarted(DomainEvent):
    """A bot is served again, or for the first time."""

    type: ClassVar[str] = "bot.started"
    reason: str = ""


@dataclass(frozen=True, slots=True)
class BotStopped(DomainEvent):
    """A bot is not served any more, or not as usual.

    Args:
        status: ``inactive``, ``error``, ``paused`` or ``maintenance``.
        reason: in a person's words.
    """

    type: ClassVar[str] = "bot.stopped"
    status: str
    reason: str


@dataclass(frozen=True, slots=True)
class BotRestarted(DomainEvent):
    """Every process builds the bot's application anew."""

    type: ClassVar[str] = "bot.restarted"


@dataclass(frozen=True, slots=True)
class BotConfigured(DomainEvent):
    """A bot has another configuration: this is its number."""

    type: ClassVar[str] = "bot.configured"
    number: int


@dataclass(frozen=True, slots=True)
class TokenReplaced(DomainEvent):
    """A bot has another token.

    Args:
        earlier: the Telegram bot that it was, if the new token is another one's.
    """

    type: ClassVar[str] = "bot.token_replaced"
    earlier: int | None = None


@dataclass(frozen=True, slots=True)
class BotMoved(DomainEvent):
    """A bot's updates run in another pool."""

    type: ClassVar[str] = "bot.queue"
    queue: str
    reason: str


@dataclass(frozen=True, slots=True)
class BotBlocked(DomainEvent):
    """A handler blocked its event loop at this line."""

    type: ClassVar[str] = "bot.blocked"
    place: str


@dataclass(frozen=True, slots=True)
class BotRemoved(DomainEvent):
    """A bot of this name is gone with all its rows; its events stay."""

    type: ClassVar[str] = "bot.removed"
    username: str


@dataclass(frozen=True, slots=True)
class HealthCheckFailed(DomainEvent):
    """Something is wrong with a bot that was well, or that had another trouble."""

    type: ClassVar[str] = "bot.health_check_failed"
    reason: str
    says: str


@dataclass(frozen=True, slots=True)
class HealthCheckPassed(DomainEvent):
    """A bot is well again."""

    type: ClassVar[str] = "bot.health_check_passed"
    after: str


@dataclass(frozen=True, slots=True)
class WebhookStolen(DomainEvent):
    """Another system set the webhook of a bot to this host."""

    type: ClassVar[str] = "bot.webhook_stolen"
    host: str


@dataclass(frozen=True, slots=True)
class WebhookSet(DomainEvent):
    """The webhook of a bot was set by us, for this reason."""

    type: ClassVar[str] = "bot.webhook_set"
    reason: str


@dataclass(frozen=True, slots=True)
class MessageReceived(DomainEvent):
    """A message of a person was processed; written by the statement that commits its effects."""

    type: ClassVar[str] = "message.received"
    chat: str
    kind: str


@dataclass(frozen=True, slots=True)
class EndpointDisabled(DomainEvent):
    """Nothing is sent to an endpoint any more, because of what it answered.

    Args:
        endpoint: its number, as in the API.
        reason: in a person's words.
    """

    type: ClassVar[str] = "endpoint.disabled"
    endpoint: str
    reason: str


@dataclass(frozen=True, slots=True)
class BackupTrouble(DomainEvent):
    """There is no backup of a night, or it is not proven.

    Args:
        reason: in a person's words.
    """

    type: ClassVar[str] = "backup.failed"
    reason: str


@dataclass(frozen=True, slots=True)
class ScheduleChanged(DomainEvent):
    """Somebody did something with a schedule.

    Args:
        schedule: its number.
        name: what its owner calls it.
        how: ``made``, ``changed``, ``paused``, ``resumed``, ``asked for`` or ``removed``.
    """

    type: ClassVar[str] = "schedule.changed"
    schedule: int
    name: str
    how: str


@dataclass(frozen=True, slots=True)
class ScheduleMissed(DomainEvent):
    """A moment of a schedule came to light so late that nobody was written to any more.

    Args:
        schedule: its number.
        moment: with its distance from UTC.
    """

    type: ClassVar[str] = "schedule.missed"
    schedule: int
    moment: str


@dataclass(frozen=True, slots=True)
class ScheduleFailed(DomainEvent):
    """A schedule cannot go on.

    Args:
        schedule: its number.
        reason: in a person's words.
    """

    type: ClassVar[str] = "schedule.failed"
    schedule: int
    reason: str


def event_types() -> frozenset[str]:
    """Every type of event that there is."""
    return WRITTEN_BY_STATEMENTS | {kind.type for kind in DomainEvent.__subclasses__()}


def record_of_customer(session: Session, customer_id: int, entity: str, event: DomainEvent) -> None:
    """Write an event of a customer that is none of a bot's, in the caller's transaction."""
    session.add(
        Event(
            customer_id=customer_id, bot_id=None, type=event.type, entity=entity, actor=actor(),
            data=asdict(event),  # type: ignore[call-overload]
        )
    )  # fmt: skip


def record(session: Session, bot: Bot, event: DomainEvent) -> None:
    """Write an event of a bot in the caller's transaction; it is told once that is committed."""
    session.add(
        Event(
            customer_id=bot.customer_id, bot_id=bot.id, type=event.type, entity=f"telegram:{bot.telegram_id}",
            actor=actor(), data=asdict(event),  # type: ignore[call-overload]
        )
    )  # fmt: skip
