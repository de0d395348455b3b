"""A run becomes rows of the outbox, a part of its people in each transaction. See docs/schedules.md."""

import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import text
from sqlalchemy.orm import Session

from botyard.errors import InputError
from botyard.jobs.moments import SILENCE, is_zone
from botyard.jobs.stored import COMMAND, OF_SCHEDULE
from botyard.messages.wanted import fits
from botyard.schedules.content import call_for
from botyard.schedules.plans import is_of_people
from botyard.telegram.run import Lane
from botyard.users.rendering import Reader

_PART: Final = 1000

_PEOPLE: Final = """
SELECT u.user_id, u.first_name, u.last_name, u.username, coalesce(u.language, u.language_code) AS language,
       u.attributes, u.last_seen, c.unreachable_since IS NOT NULL AS away
  FROM bot_users u LEFT JOIN chats c ON c.bot_id = u.bot_id AND c.chat_key = u.user_id::text
 WHERE u.bot_id = :bot AND u.user_id > :position {more} ORDER BY u.user_id LIMIT :limit
"""
_OF_ZONE: Final = """ AND CASE WHEN u.attributes->>'time_zone' IN (
    SELECT zone FROM schedule_zones WHERE schedule_id = :schedule) THEN u.attributes->>'time_zone' ELSE :bot_zone END
  = :zone"""
# Two runs of a bot at once would not see each other's messages of a person's day.
_ALONE: Final = text("SELECT pg_advisory_xact_lock(hashtextextended('schedules', :bot))")
_HAD: Final = text("""
SELECT recipient, day, count(*) FROM occurrences
 WHERE bot_id = :bot AND recipient = ANY(:people) AND day = ANY(:days) GROUP BY recipient, day
""")
_PUT: Final = text("""
WITH r AS MATERIALIZED (
  SELECT z.*, nextval(pg_get_serial_sequence('outbox', 'id')) AS send_id
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS z(
      recipient bigint, slot text, day date, due timestamptz, deadline timestamptz, method text, params jsonb)
), o AS (
  INSERT INTO occurrences (schedule_id, slot, recipient, bot_id, customer_id, run_id, day, due, send_id)
  SELECT :schedule, slot, recipient, :bot, :customer, :run, day, due, send_id FROM r
  ON CONFLICT (bot_id, schedule_id, slot, recipient) DO NOTHING RETURNING recipient
), s AS (
  INSERT INTO outbox (id, bot_id, customer_id, chat_key, lane, method, params, repeat_policy, due, deadline)
  SELECT r.send_id, b.id, b.customer_id, r.recipient::text, :lane, r.method, r.params,
         CASE WHEN (b.settings->>'repeat_uncertain')::bool IS FALSE THEN 'leave' ELSE 'repeat' END, r.due, r.deadline
    FROM r JOIN o ON o.recipient = r.recipient JOIN bots b ON b.id = :bot ORDER BY r.send_id RETURNING 1
)
SELECT count(*) FROM s
""")


# In the place of a send: its firing comes into the mailbox of the person's chat like a job of the bot's own.
_PUT_JOBS: Final = text("""
WITH r AS MATERIALIZED (
  SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS z(
    recipient bigint, slot text, day date, due timestamptz, person jsonb)
), o AS (
  INSERT INTO occurrences (schedule_id, slot, recipient, bot_id, customer_id, run_id, day, due)
  SELECT :schedule, slot, recipient, :bot, :customer, :run, day, due FROM r
  ON CONFLICT (bot_id, schedule_id, slot, recipient) DO NOTHING RETURNING recipient
), j AS (
  INSERT INTO jobs (bot_id, customer_id, id, name, callback, data, chat_id, user_id, chat_key, trigger, grace, next_run,
                    due)
  SELECT :bot, :customer, :prefix || :schedule || ':' || r.slot || ':' || r.recipient, :name, :callback,
         jsonb_build_object('person', r.person), r.recipient, r.recipient, r.recipient::text,
         jsonb_build_object('type', 'date', 'at', r.due), :grace, r.due, r.due
    FROM r JOIN o ON o.recipient = r.recipient ORDER BY r.recipient ON CONFLICT DO NOTHING RETURNING 1
)
SELECT count(*) FROM j
""")


@dataclass(slots=True)
class Part:
    """What became of a part of a run.

    Args:
        position: the last person of it; none: that was the end.
        planned: how many messages were put into the outbox.
        skipped: how many people were left out, by the reason.
        too_late: nobody is written to any more.
    """

    position: int | None = None
    planned: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    too_late: bool = False


def put_part(session: Session, run: dict[str, Any]) -> Part:
    """Put the next messages of a run into the outbox.

    Args:
        session: of the system.
        run: its row, with its schedule's fields and ``now``.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: what is kept of the schedule is not what it should be.
    """
    if run["since"] is None and run["now"] > run["moment"] + timedelta(seconds=run["grace"]):
        return Part(too_late=True)
    people = _people(session, run)
    part = Part(people[-1]["user_id"] if len(people) == _PART else None)
    wanted = list(_wanted(run, people, part))
    if run["cap"] is not None:
        wanted = _within_cap(session, run, wanted, part)
    if wanted:
        values = {name: run[key] for name, key in (("schedule", "schedule_id"), ("bot", "bot_id"), ("run", "id"))}
        values |= {"customer": run["customer_id"], "lane": int(Lane.SCHEDULED), "rows": orjson.dumps(wanted).decode()}
        if "command" in run["content"]:
            more = {"callback": COMMAND + run["content"]["command"], "name": run["name"], "grace": run["grace"]}
            part.planned = session.execute(_PUT_JOBS, {**values, **more, "prefix": OF_SCHEDULE}).scalar_one()
        else:
            part.planned = session.execute(_PUT, values).scalar_one()
        # Looks for silence may overlap.
        if (again := len(wanted) - part.planned) and run["since"] is None:
            part.skipped["already"] += again
    return part


def _people(session: Session, run: dict[str, Any]) -> list[dict[str, Any]]:
    audience, more = run["audience"], ""
    values = {
        "bot": run["bot_id"], "position": run["position"], "limit": _PART, "schedule": run["schedule_id"],
        "zone": run["zone"], "bot_zone": run["bot_zone"] or "UTC",
    }  # fmt: skip
    if "users" in audience:
        more += " AND u.user_id = ANY(:users)"
        values["users"] = audience["users"]
    if "tag" in audience:
        more += " AND u.tags @> ARRAY[:tag]"
        values["tag"] = audience["tag"]
    if "language" in audience:
        more += " AND lower(coalesce(u.language, u.language_code)) = :language"
        values["language"] = audience["language"]
    if run["since"] is not None:
        more += " AND u.last_seen > :heard_after AND u.last_seen <= :heard_by"
        silence = timedelta(hours=run["recurrence"]["hours"])
        values |= {"heard_after": run["since"] - silence, "heard_by": run["moment"] - silence}
    elif run["zone"] and is_of_people(run["of_zone"], run["recurrence"]):
        more += _OF_ZONE
    return [dict(row) for row in session.execute(text(_PEOPLE.format(more=more)), values).mappings()]


def _wanted(run: dict[str, Any], people: Iterable[dict[str, Any]], part: Part) -> Iterable[dict[str, Any]]:
    """The rows for those who are to be written to."""
    quiet, grace = _quiet(run["quiet"]), timedelta(seconds=run["grace"])
    for person in people:
        if person["away"]:
            part.skipped["unreachable"] += 1
            continue
        moment, slot = _moment(run, person)
        if run["now"] > moment + grace:
            part.skipped["missed"] += 1
            continue
        own = person["attributes"].get("time_zone")
        zone = _zone(own if is_zone(own) else run["bot_zone"] or "UTC")
        due = quiet(moment + _spread(run, slot, person["user_id"]), zone)
        reader = Reader(*(person[name] for name in ("user_id", "first_name", "last_name", "username", "language",
                                                    "attributes")))  # fmt: skip
        when = {"recipient": person["user_id"], "slot": slot, "day": due.astimezone(zone).date(), "due": due}
        if "command" in run["content"]:
            yield when | {"person": _profile(person)}
            continue
        call = call_for(run["content"], reader)
        if not fits(call):
            part.skipped["too long"] += 1
            continue
        yield when | {"deadline": due + grace, "method": call.method, "params": call.params}


def _profile(person: dict[str, Any]) -> dict[str, Any]:
    """Somebody as Telegram would show them."""
    shown = {"first_name": person["first_name"], "last_name": person["last_name"], "username": person["username"],
             "language_code": person["language"]}  # fmt: skip
    return {name: value for name, value in shown.items() if value is not None}


def _within_cap(
    session: Session, run: dict[str, Any], wanted: list[dict[str, Any]], part: Part
) -> list[dict[str, Any]]:
    session.execute(_ALONE, {"bot": run["bot_id"]})
    people, days = [row["recipient"] for row in wanted], list({row["day"] for row in wanted})
    values = {"bot": run["bot_id"], "people": people, "days": days}
    had = {(recipient, day): count for recipient, day, count in session.execute(_HAD, values)}
    within = [row for row in wanted if had.get((row["recipient"], row["day"]), 0) < run["cap"]]
    if over := len(wanted) - len(within):
        part.skipped["cap"] += over
    return within


def _moment(run: dict[str, Any], person: dict[str, Any]) -> tuple[datetime, str]:
    """When somebody's message is meant, and what tells it from all others."""
    if run["since"] is None or run["recurrence"]["type"] != SILENCE:
        return run["moment"], run["slot"]
    # One message for each silence, whoever looks however often.
    seen: datetime = person["last_seen"]
    return seen + timedelta(hours=run["recurrence"]["hours"]), seen.astimezone(UTC).isoformat()


def _spread(run: dict[str, Any], slot: str, recipient: int) -> timedelta:
    if not run["jitter"]:
        return timedelta()
    return timedelta(seconds=zlib.crc32(f"{run['schedule_id']} {slot} {recipient}".encode()) % (run["jitter"] + 1))


def _quiet(hours: dict[str, str] | None) -> Callable[[datetime, ZoneInfo], datetime]:
    """What moves a moment out of quiet hours."""
    if hours is None:
        return lambda moment, _: moment
    begin, end = time.fromisoformat(hours["from"]), time.fromisoformat(hours["to"])

    def moved(moment: datetime, zone: ZoneInfo) -> datetime:
        there = moment.astimezone(zone)
        clock = there.time()
        over_night = begin > end
        if not ((clock >= begin or clock < end) if over_night else begin <= clock < end):
            return moment
        day = there.date() + timedelta(days=1 if over_night and clock >= begin else 0)
        return datetime.combine(day, end, zone).astimezone(UTC)

    return moved


@lru_cache(maxsize=512)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError):
        raise InputError("zone", f"there is no time zone {name!r}.") from None
