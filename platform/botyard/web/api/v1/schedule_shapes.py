"""How schedules are written and shown on the wire."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

from botyard.errors import InputError
from botyard.messages.wanted import Button, ParseMode, Wanted
from botyard.schedules.content import Content, Texts, command_of, content_of
from botyard.schedules.plans import BOT, GRACE_SECONDS, Audience, Plan
from botyard.schedules.storing import Ran, moments_of
from botyard.web.api.ids import ShownBotId, ShownRunId, ShownScheduleId, TelegramId
from botyard.web.api.shapes import Given, GivenTime, Shown, Time
from botyard.web.api.v1.sends import ButtonGiven, FilesGiven, attachments
from db.models import Bot, Schedule

_ANY_CHAT: Final = "1"
_MOST_LANGUAGES: Final = 50
_GIVEN: Final[dict[str, Any]] = {
    "name": "good morning", "when": {"type": "cron", "expression": "0 9 * * mon-fri"}, "timeZone": "person",
    "audience": {"tag": "vip"}, "texts": {"en": "Good morning, {{first_name|friend}}!", "ru": "Доброе утро!"},
    "quietHours": {"from": "22:00", "to": "08:00"}, "cap": 3,
}  # fmt: skip
_RUN: Final[dict[str, Any]] = {
    "id": "run_21", "slot": "2026-01-15T09:00", "timeZone": "Europe/Berlin", "moment": "2026-01-15T08:00:00.000Z",
    "state": "done", "planned": 1200, "skipped": {"unreachable": 31}, "outcomes": {"sent": 1198, "dead": 2},
    "finishedAt": "2026-01-15T08:00:01.400Z",
}  # fmt: skip

LocalTime = Annotated[datetime, PlainSerializer(datetime.isoformat, return_type=str)]
"""With the distance from UTC that the clock has there then."""


class WhenGiven(Given):
    """When: `once` at a moment, by a crontab line (`cron`), `every` so many seconds, or after a person's `silence`."""

    type: Literal["once", "cron", "every", "silence"]
    at: str | None = Field(None, max_length=40, description="`once`: 2026-12-31T09:00 by the schedule's time zone.")
    expression: str | None = Field(None, max_length=200, description="`cron`: minute hour day month weekday.")
    seconds: int | None = Field(None, description="`every`: at least 60.")
    start: str | None = Field(None, max_length=40, description="`every`: from when it is counted.")
    hours: int | None = Field(None, description="`silence`: so long nothing was heard of them.")


class AudienceGiven(Given):
    """To whom: those to whom everything given applies; nothing: everyone who can be reached."""

    user_ids: list[TelegramId] = Field(default_factory=list, max_length=1000)
    tag: str | None = Field(None, min_length=1, max_length=64)
    language: str | None = Field(None, max_length=35)


class QuietGiven(BaseModel):
    """A part of the day, by the clock of whoever it is for, in which nobody is written to."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True, populate_by_name=True)

    begin: str = Field(alias="from", max_length=5)
    to: str = Field(max_length=5)


class ScheduleGiven(FilesGiven):
    """What a bot is to send by itself."""

    model_config = ConfigDict(json_schema_extra={"examples": [_GIVEN]})

    name: str = Field(min_length=1, max_length=100)
    when: WhenGiven
    time_zone: str = Field(
        BOT, max_length=64, description="A name, as Europe/Berlin; `bot`; `person`: of whoever reads."
    )
    audience: AudienceGiven = Field(default_factory=AudienceGiven)
    command: str | None = Field(
        None, max_length=250, description="In the place of texts: the bot acts as if everybody had sent this."
    )
    texts: dict[Annotated[str, Field(min_length=2, max_length=35)], Annotated[str, Field(max_length=32_768)]] = Field(
        default_factory=dict, max_length=_MOST_LANGUAGES, description="By language; of a file the captions."
    )
    default_language: str | None = Field(None, max_length=35, description="Of whoever reads none of these.")
    parse_mode: ParseMode | None = None
    buttons: list[list[ButtonGiven]] = Field(default_factory=list, max_length=100)
    disable_notification: bool = False
    quiet_hours: QuietGiven | None = None
    cap: int | None = Field(None, description="So many messages of schedules may somebody get in a day.")
    ends_at: GivenTime | None = None
    jitter_seconds: int = Field(0, description="Over so long the messages of a moment are spread.")
    grace_seconds: int = Field(GRACE_SECONDS, description="A moment that comes to light later is missed.")

    def plan(self, bot_id: int) -> Plan:
        """What is wanted.

        Raises:
            InputError: a text cannot be sent, or not to everybody; or a file is not there.
        """
        audience = Audience(tuple(self.audience.user_ids), self.audience.tag, self.audience.language)
        return Plan(
            self.name, self.when.model_dump(exclude_none=True), self._content(bot_id), self.time_zone, audience,
            None if self.quiet_hours is None else (self.quiet_hours.begin, self.quiet_hours.to), self.cap, self.ends_at,
            self.jitter_seconds, self.grace_seconds,
        )  # fmt: skip

    def _content(self, bot_id: int) -> Content:
        files = list(attachments(bot_id, self))
        if (self.command is None) == (not self.texts) or (self.command is not None and files):
            raise InputError("texts", "a schedule has either texts or a command.", "A file goes with texts.")
        if self.command is not None:
            return command_of(self.command)
        if len(files) > 1:
            raise InputError("photo", "is not the only file.", "Send one file in a message.")
        buttons = [[Button(button.text, button.url, button.data) for button in row] for row in self.buttons]
        message = Wanted(
            _ANY_CHAT, attachment=files[0] if files else None, parse_mode=self.parse_mode, buttons=buttons,
            silent=self.disable_notification,
        )  # fmt: skip
        return content_of(Texts(self.texts, self.default_language or next(iter(self.texts))), message)


class Moments(Shown):
    """Moments that are to come."""

    moments: list[LocalTime]


class ScheduleShown(Shown):
    """What a bot sends by itself."""

    id: ShownScheduleId
    bot_id: ShownBotId
    name: str
    enabled: bool
    error: str | None = Field(description="Why it cannot go on; changing or resuming it lets it try again.")
    when: dict[str, Any]
    time_zone: str
    audience: dict[str, Any]
    command: str | None
    texts: dict[str, str]
    default_language: str
    parse_mode: str | None
    method: str
    quiet_hours: dict[str, str] | None
    cap: int | None
    ends_at: Time | None
    jitter_seconds: int
    grace_seconds: int
    next_moments: list[LocalTime]
    created_at: Time

    @classmethod
    def of(cls, bot: Bot, row: Schedule) -> Self:
        """Of its row."""
        audience = {name: value for name, value in row.audience.items() if name != "users"}
        if "users" in row.audience:
            audience["userIds"] = [str(number) for number in row.audience["users"]]
        content = row.content
        return cls(
            id=row.id, bot_id=bot.id, name=row.name, enabled=row.enabled, error=row.error, when=row.recurrence,
            time_zone=row.zone, audience=audience, command=content.get("command"), texts=content.get("texts", {}),
            default_language=content.get("default", ""), parse_mode=content.get("parse_mode"),
            method=content.get("method", ""), quiet_hours=row.quiet, cap=row.cap, ends_at=row.ends_at,
            jitter_seconds=row.jitter, grace_seconds=row.grace, next_moments=moments_of(bot, row),
            created_at=row.created_at,
        )  # fmt: skip


class RunShown(Shown):
    """A moment that came."""

    model_config = ConfigDict(json_schema_extra={"examples": [_RUN]})

    id: ShownRunId
    slot: str = Field(description="What the clock showed there.")
    time_zone: str
    moment: Time
    state: Literal["open", "done", "missed"]
    planned: int = Field(description="How many messages were put into the outbox.")
    skipped: dict[str, int] = Field(description="How many people were left out, by the reason.")
    outcomes: dict[str, int] = Field(description="How far its messages are, as long as the outbox remembers them.")
    finished_at: Time | None

    @classmethod
    def of(cls, ran: Ran) -> Self:
        """Of its row."""
        run = ran.run
        return cls.model_validate({
            "id": run.id, "slot": run.slot, "time_zone": run.zone, "moment": run.moment, "state": run.state,
            "planned": run.planned or 0, "skipped": run.skipped or {}, "outcomes": ran.outcomes,
            "finished_at": run.finished_at,
        })  # fmt: skip
