"""What somebody wants to be sent by itself, checked. See docs/schedules.md."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from botyard.errors import InputError
from botyard.jobs.moments import PERSON, fit_recurrence, fit_zone
from botyard.schedules.content import Content
from botyard.users.tags import fit_language, fit_tag

BOT: Final = "bot"
"""The time zone of the bot's configuration, in the place of a zone's name."""
GRACE_SECONDS: Final = 3600
_LONGEST_NAME: Final = 100
_MOST_USERS: Final = 1000
_MOST_SECONDS: Final = 86_400 * 7
_MOST_JITTER: Final = 86_400
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)


@dataclass(frozen=True, slots=True)
class Audience:
    """To whom: those to whom everything given applies; nothing: everyone who can be reached.

    Args:
        users: Telegram's numbers of people.
        tag: a tag that they have.
        language: what they read.
    """

    users: tuple[int, ...] = ()
    tag: str | None = None
    language: str | None = None

    def kept(self) -> dict[str, Any]:
        """As it is kept.

        Raises:
            InputError: it names what cannot be.
        """
        found: dict[str, Any] = {}
        if self.users:
            if len(self.users) > _MOST_USERS:
                raise InputError("users", f"names more than {_MOST_USERS}.", "Give them a tag, and name that.")
            found["users"] = sorted(set(self.users))
        if self.tag is not None:
            found["tag"] = fit_tag(self.tag)
        if self.language is not None:
            found["language"] = fit_language(self.language)
        return found


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be sent, when, to whom.

    Args:
        name: what its owner calls it.
        recurrence: when, see `botyard.jobs.moments`.
        content: what, see `botyard.schedules.content`.
        zone: in which its clock times are meant: a name, `PERSON` or `BOT`.
        audience: to whom.
        quiet: from when until when nobody is written to, as ``22:00`` and ``08:00``, by the clock of whoever it is for.
        cap: so many messages of schedules may one person get from the bot in a day; none: any number.
        ends_at: no moment is behind this.
        jitter: seconds over which the messages of a moment are spread.
        grace: seconds after which a moment is not worth a message any more.
    """

    name: str
    recurrence: Mapping[str, Any]
    content: Content
    zone: str = BOT
    audience: Audience = field(default_factory=Audience)
    quiet: tuple[str, str] | None = None
    cap: int | None = None
    ends_at: datetime | None = None
    jitter: int = 0
    grace: int = GRACE_SECONDS

    def columns(self, bot_zone: str, now: datetime) -> dict[str, Any]:
        """The columns of its row.

        Args:
            bot_zone: of the bot's configuration.
            now: this moment.

        Raises:
            InputError: something of it makes no sense.
        """
        zone = bot_zone if self.zone == BOT else self.zone if self.zone == PERSON else fit_zone(self.zone)
        name = self.name.strip()
        if not 0 < len(name) <= _LONGEST_NAME or "\0" in name:
            raise InputError("name", f"has not 1 to {_LONGEST_NAME} characters.")
        if self.ends_at is not None and self.ends_at <= now:
            raise InputError("ends_at", "has passed.")
        return {
            "name": name, "recurrence": fit_recurrence(self.recurrence, zone, now), "zone": zone,
            "audience": self.audience.kept(), "content": self.content, "quiet": _fit_quiet(self.quiet),
            "cap": None if self.cap is None else _within("cap", self.cap, 1, 1000), "ends_at": self.ends_at,
            "jitter": _within("jitter_seconds", self.jitter, 0, _MOST_JITTER),
            "grace": _within("grace_seconds", self.grace, 60, _MOST_SECONDS),
        }  # fmt: skip


def is_of_people(zone: str, recurrence: Mapping[str, Any]) -> bool:
    """Whether people of several time zones have moments of their own."""
    return zone == PERSON and recurrence["type"] in ("once", "cron")


def _fit_quiet(hours: tuple[str, str] | None) -> dict[str, str] | None:
    if hours is None:
        return None
    if not all(_CLOCK.fullmatch(hour) for hour in hours) or hours[0] == hours[1]:
        raise InputError("quiet_hours", "is no part of a day.", "Write two times of day, as 22:00 and 08:00.")
    return {"from": hours[0], "to": hours[1]}


def _within(field_name: str, value: int, least: int, most: int) -> int:
    if not least <= value <= most:
        raise InputError(field_name, f"is no number from {least} to {most}.")
    return value
