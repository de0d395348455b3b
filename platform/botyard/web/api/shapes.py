"""What goes in and out: names as in the Bot API's own JavaScript clients, nothing more than what is named."""

from datetime import UTC, datetime
from typing import Annotated, Self

from fastapi import Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer
from pydantic.alias_generators import to_camel

from db.models import Bot, BotHealth, Customer


def milliseconds(at: datetime) -> str:
    """A time as ISO 8601 in UTC, with milliseconds and ``Z``."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


Time = Annotated[datetime, PlainSerializer(milliseconds, return_type=str)]


def _read_time(value: object) -> datetime:
    """Text only: a number would be taken for seconds."""
    try:
        at = datetime.fromisoformat(value if isinstance(value, str) and "-" in value else "")
    except ValueError:
        raise ValueError("is no time: write it as in RFC 3339, such as 2026-01-15T10:30:00Z") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


GivenTime = Annotated[datetime, BeforeValidator(_read_time, json_schema_input_type=str)]
"""A time that comes in; without a zone it is UTC."""


class Given(BaseModel):
    """What comes in: fields that are not named are refused, so that a typo does not pass."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", strict=True, hide_input_in_errors=True)


class Shown(BaseModel):
    """What goes out."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class HealthShown(Shown):
    """What became of the last health check."""

    state: str
    reason: str | None
    says: str | None
    since: Time
    checked_at: Time | None

    @classmethod
    def of(cls, health: BotHealth) -> Self:
        """Of its row."""
        return cls(
            state=health.state, reason=health.reason, says=health.says, since=health.since, checked_at=health.checked_at
        )


class BotShown(Shown):
    """A bot, without anything that is secret."""

    id: int
    customer: int
    telegram_id: int
    username: str
    name: str
    kind: str
    status: str
    reason: str | None
    since: Time
    removing: bool = Field(description="Its removal has begun.")
    has_picture: bool
    health: HealthShown | None

    @classmethod
    def of(cls, bot: Bot, health: BotHealth | None) -> Self:
        """Of its rows."""
        return cls(
            id=bot.id, customer=bot.customer_id, telegram_id=bot.telegram_id, username=bot.username, name=bot.name,
            kind=bot.kind, status=bot.status, reason=bot.status_reason, since=bot.status_since,
            removing=bot.removal_began is not None, has_picture=bot.picture is not None,
            health=None if health is None else HealthShown.of(health),
        )  # fmt: skip


class CustomerShown(Shown):
    """A customer."""

    id: int
    username: str | None
    name: str
    status: str

    @classmethod
    def of(cls, customer: Customer) -> Self:
        """Of its row."""
        return cls(id=customer.id, username=customer.username, name=customer.name, status=customer.status)


After = Annotated[
    int, Query(ge=0, le=2**63 - 1, description="The id behind which to begin: `next` of the last answer.")
]
Limit = Annotated[int, Query(ge=1, le=100, description="How many at most.")]
