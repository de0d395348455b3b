"""When moments by crontab, of schedules and what bots plan themselves, are, zone by zone. See docs/schedules.md.

Calendars, time zones and the nights in which clocks are changed are computed as those of jobs are.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo, available_timezones

from botyard.errors import InputError
from botyard.jobs.triggers import Trigger, first_moment, make_trigger, moment_after

Recurrence = dict[str, Any]
"""``{"type": "once", "at": …}``, ``{"type": "cron", "expression": …}``, ``{"type": "every", "seconds": …, "start": …}``
or ``{"type": "silence", "hours": …}``."""

PERSON: Final = "person"
"""The zone of whoever a message is for, in the place of a zone's name."""
SILENCE: Final = "silence"
_LOOK: Final = timedelta(minutes=1)
"""So often it is looked whose silence is long enough."""
_FEWEST_SECONDS: Final = 60
_MOST_HOURS: Final = 24 * 365
_FIELDS: Final = ("minute", "hour", "day", "month", "day_of_week")
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_DAY: Final = re.compile(r"(\*|[a-z]{3}|[0-7])(?:-([a-z]{3}|[0-7]))?(?:/([1-9]))?", re.ASCII)


def fit_zone(name: str) -> str:
    """A time zone's name.

    Raises:
        InputError: there is no such zone.
    """
    if name not in _zones():
        raise InputError("time_zone", f"there is no time zone {name!r}.", "Write it as Europe/Berlin, or UTC.")
    return name


def is_zone(name: object) -> bool:
    """Whether a zone has this name."""
    return isinstance(name, str) and name in _zones()


def fit_recurrence(given: Mapping[str, Any], zone: str, now: datetime) -> Recurrence:
    """When a schedule's moments are, checked.

    Args:
        given: as somebody wrote it.
        zone: in which its clock times are meant; `PERSON`.
        now: this moment.

    Raises:
        InputError: it makes no sense, or has no moment left.
    """
    kind = given.get("type")
    if kind == "once":
        made: Recurrence = {"type": kind, "at": _fit_at(given.get("at"))}
    elif kind == "cron":
        made = {"type": kind, "expression": _fit_expression(given.get("expression"))}
    elif kind == "every":
        seconds = _number(given.get("seconds"), "when.seconds", _FEWEST_SECONDS, 366 * 86_400)
        made = {"type": kind, "seconds": seconds, "start": given.get("start") or now.isoformat()}
        _fit_at(made["start"])
    elif kind == SILENCE:
        return {"type": kind, "hours": _number(given.get("hours"), "when.hours", 1, _MOST_HOURS)}
    else:
        raise InputError("when", f"there is no type {kind!r}.", "Use once, cron, every or silence.")
    # Somewhere on earth it may still be.
    if first(made, "Etc/GMT+12" if zone == PERSON else zone, now) is None:
        raise InputError("when", "has passed, or never comes.", "Choose a moment that is still to come.")
    return made


def first(recurrence: Recurrence, zone: str, now: datetime) -> datetime | None:
    """The first moment from now on; none: there is none left."""
    if recurrence["type"] == SILENCE:
        return now
    found = first_moment(_trigger(recurrence, zone), now)
    return None if found is None or found < now else found


def next_moment(recurrence: Recurrence, zone: str, now: datetime, ends_at: datetime | None) -> datetime | None:
    """The first one of a schedule that ends; none: there is none before its end."""
    found = first(recurrence, zone, now)
    return None if found is None or (ends_at is not None and found > ends_at) else found


def following(recurrence: Recurrence, zone: str, moment: datetime, now: datetime) -> datetime | None:
    """The one behind a moment. Of silences it is looked from now on: none is forgotten by that."""
    if recurrence["type"] == SILENCE:
        return now + _LOOK
    return moment_after(_trigger(recurrence, zone), moment)


def upcoming(
    recurrence: Recurrence, zone: str, now: datetime, count: int = 5, until: datetime | None = None
) -> list[datetime]:
    """The next moments, at most so many, with the zone's own distance from UTC. Of silences nobody knows them."""
    found: list[datetime] = []
    moment = None if recurrence["type"] == SILENCE else first(recurrence, zone, now)
    while moment is not None and len(found) < count and (until is None or moment <= until):
        found.append(moment.astimezone(UTC).astimezone(ZoneInfo(zone)))
        moment = following(recurrence, zone, moment, now)
    return found


def slot_of(recurrence: Recurrence, zone: str, moment: datetime) -> str:
    """What tells a moment from all others of its schedule.

    Of clock times it is what the clock shows: the hour that comes twice in a night is one, and whoever travels is not
    told the same again.
    """
    if recurrence["type"] in ("once", "cron"):
        return moment.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None).isoformat(timespec="minutes")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def _trigger(recurrence: Recurrence, zone: str) -> Trigger:
    if recurrence["type"] == "once":
        return make_trigger("date", {"run_date": instant(recurrence["at"], zone)}, UTC)
    if recurrence["type"] == "every":
        start = instant(recurrence["start"], "UTC")
        return make_trigger("interval", {"seconds": recurrence["seconds"], "start_date": start}, UTC)
    return make_trigger("cron", _fields(recurrence["expression"].split()), ZoneInfo(zone))


def instant(written: str, zone: str) -> datetime:
    """In UTC: a clock time that a night skips is so much after it, one that comes twice is the first."""
    read = datetime.fromisoformat(written)
    return (read.replace(tzinfo=ZoneInfo(zone)) if read.tzinfo is None else read).astimezone(UTC)


def _fit_at(written: Any) -> str:
    try:
        return datetime.fromisoformat(written).isoformat()
    except (TypeError, ValueError):
        raise InputError(
            "when.at", "is no moment.", "Write it as 2026-12-31T09:00, perhaps with +01:00 behind it."
        ) from None


def _number(value: Any, field: str, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise InputError(field, f"is no whole number from {least} to {most}.")
    return value


def crontab(expression: Any, field: str = "cron") -> dict[str, str]:
    """A line of crontab, field by field, as `botyard.jobs.triggers.make_trigger` takes it.

    Args:
        expression: minute, hour, day, month and weekday.
        field: what whoever wrote it calls it.

    Raises:
        InputError: it makes no sense.
    """
    words = expression.lower().split() if isinstance(expression, str) else []
    if len(words) != len(_FIELDS):
        raise InputError(field, "has not five fields.", "Write minute hour day month weekday, as 0 9 * * mon-fri.")
    try:
        fields = _fields(words)
        make_trigger("cron", fields, UTC)
    except (ValueError, KeyError) as error:
        raise InputError(field, f"is not understood: {error}", "Write it as 0 9 * * mon-fri.") from None
    return fields


def _fit_expression(expression: Any) -> str:
    crontab(expression, "when.expression")
    return " ".join(expression.lower().split())


def _fields(words: list[str]) -> dict[str, str]:
    return dict(zip(_FIELDS, [*words[:-1], _weekdays(words[-1])], strict=True))


def _weekdays(field: str) -> str:
    """By their names: crontab counts from Sunday, and the library that computes moments from Monday."""
    if field == "*":
        return field
    chosen: set[int] = set()
    for part in field.split(","):
        found = _DAY.fullmatch(part)
        if found is None:
            raise ValueError(f"{part!r} is no weekday")
        begin, end, step = found.groups()
        low = 0 if begin == "*" else _weekday(begin)
        high = 6 if begin == "*" else low if end is None else _weekday(end)
        # Friday to Monday is four days.
        chosen |= {day % 7 for day in range(low, high + (7 if high < low else 0) + 1, int(step or 1))}
    return ",".join(_DAYS[day] for day in sorted(chosen))


def _weekday(word: str) -> int:
    if word.isdigit():
        return int(word)
    if word not in _DAYS:
        raise ValueError(f"{word!r} is no weekday")
    return _DAYS.index(word)


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())
