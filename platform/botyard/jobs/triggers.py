"""When a job fires, as JSON that can be kept, and the moments that follow from it. See docs/jobs.md.

APScheduler computes the moments: its triggers know calendars, time zones and the nights in which clocks are changed.
Nothing else of it is used.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import cache
from importlib import import_module
from typing import Any, Final
from zoneinfo import ZoneInfo

from botyard.errors import InputError

Trigger = dict[str, Any]
"""``{"type": "date", "at": ...}``, ``{"type": "interval", ...}`` or ``{"type": "cron", ...}``."""

# Moments are computed with floating point: what lies nearer than this to the last one is the last one.
_BEHIND: Final = timedelta(milliseconds=1)


@cache
def _classes() -> dict[str, Any]:
    # On first use: a process whose bots have no jobs need not load it.
    names = {"date": "DateTrigger", "interval": "IntervalTrigger", "cron": "CronTrigger"}
    return {kind: getattr(import_module(f"apscheduler.triggers.{kind}"), name) for kind, name in names.items()}


def make_trigger(kind: Any, arguments: Mapping[str, Any], zone: tzinfo) -> Trigger:
    """A trigger as APScheduler's ``add_job`` takes it.

    Args:
        kind: ``date``, ``interval``, ``cron``, or one of APScheduler's triggers of these kinds.
        arguments: what the trigger is made with, if ``kind`` is a word.
        zone: the time zone of what names none.

    Raises:
        InputError: there is no such kind, or it cannot be kept.
        TypeError: an argument is unknown.
        ValueError: an argument makes no sense.
    """
    if not isinstance(kind, str):
        return _described(kind)
    if kind not in _classes():
        raise InputError("trigger", f"there is no trigger {kind!r} here.", "Use date, interval or cron.")
    return _described(_classes()[kind](**{"timezone": zone, **arguments}))


def first_moment(trigger: Trigger, now: datetime) -> datetime | None:
    """When a job of this trigger fires for the first time; a date that has passed is one that is due."""
    return _next(trigger, restored(trigger), now)


def moment_after(trigger: Trigger, moment: datetime) -> datetime | None:
    """The next moment behind this one; none: there is no further one."""
    if trigger["type"] == "date":
        return None
    made = restored(trigger)
    return _next(trigger, made, _behind(moment, made))


def _next(trigger: Trigger, made: Any, at_least: datetime) -> datetime | None:
    found: datetime | None = made.get_next_fire_time(None, at_least)
    if trigger["type"] == "cron" and "*" not in trigger["fields"].get("hour", "*"):
        # In the night in which clocks are put back an hour comes twice; whoever names it means it once.
        while found is not None and found.fold:
            found = made.get_next_fire_time(None, _behind(found, made))
    return found


def _behind(moment: datetime, made: Any) -> datetime:
    # In UTC: a sum of local times forgets which of two equal hours it was.
    return (moment.astimezone(UTC) + _BEHIND).astimezone(made.timezone)


def _described(trigger: Any) -> Trigger:
    kinds = _classes()
    if isinstance(trigger, kinds["date"]):
        return {"type": "date", "at": trigger.run_date.isoformat()}
    if isinstance(trigger, kinds["interval"]):
        said: Trigger = {"type": "interval", "seconds": trigger.interval_length}
    elif isinstance(trigger, kinds["cron"]):
        fields = {field.name: str(field) for field in trigger.fields if not field.is_default}
        said = {"type": "cron", "fields": fields}
    else:
        name = type(trigger).__name__
        raise InputError("trigger", f"a {name} cannot be kept.", "Use a date, an interval or a cron trigger.")
    return said | {
        "start": _written(trigger.start_date),
        "end": _written(trigger.end_date),
        "timezone": _zone_name(trigger.timezone),
        "jitter": trigger.jitter,
    }


def restored(trigger: Trigger) -> Any:
    """The trigger as APScheduler has it."""
    made = _classes()[trigger["type"]]
    if trigger["type"] == "date":
        return made(run_date=datetime.fromisoformat(trigger["at"]), timezone=UTC)
    given = {
        "start_date": _read(trigger["start"]),
        "end_date": _read(trigger["end"]),
        "timezone": _zone(trigger["timezone"]),
        "jitter": trigger["jitter"],
    }
    if trigger["type"] == "interval":
        return made(seconds=trigger["seconds"], **given)
    return made(**trigger["fields"], **given)


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _read(moment: str | None) -> datetime | None:
    return None if moment is None else datetime.fromisoformat(moment)


def _zone_name(zone: tzinfo) -> str:
    """A name by which the zone is found again: that of a place, or the distance from UTC."""
    name = getattr(zone, "key", None) or getattr(zone, "zone", None)
    if isinstance(name, str):
        return name
    if isinstance(zone, timezone):
        return datetime.now(zone).strftime("%z")
    raise InputError("timezone", f"{zone!r} cannot be kept.", "Use zoneinfo.ZoneInfo.")


def _zone(name: str) -> tzinfo:
    if name[0] not in "+-":
        return ZoneInfo(name)
    return datetime.strptime(name, "%z").tzinfo or UTC
