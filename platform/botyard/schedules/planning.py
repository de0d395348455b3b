"""Moments that come become runs, each bot's apart from all others'. See docs/schedules.md.

Any number of planners may work at once. A moment becomes a run in the transaction that moves its schedule on to the
next one; a run becomes rows of the outbox part by part, and where it stands is written with each part. So whoever is
stopped, and wherever, leaves nothing out and does nothing twice.
"""

import time
from datetime import timedelta
from typing import Any, Final

import orjson
import structlog
from sqlalchemy import text
from sqlalchemy.orm import Session

from botyard.events import DomainEvent, ScheduleFailed, ScheduleMissed, record
from botyard.jobs.moments import PERSON, SILENCE, following, is_zone, next_moment, slot_of
from botyard.schedules.expanding import Part, put_part
from botyard.schedules.storing import ZONES
from db.engine import get_engine, get_sessions
from db.models import Bot

log = structlog.get_logger(__name__)

_AT_ONCE: Final = 200
_ROUNDS: Final = 25
_SERVED: Final = "b.status NOT IN ('inactive', 'maintenance') AND b.removal_began IS NULL"

_DUE: Final = text(f"""
SELECT now() AS now, z.schedule_id, z.zone, z.next_run, s.bot_id, s.customer_id, s.recurrence, s.grace, s.ends_at
  FROM schedule_zones z JOIN schedules s ON s.id = z.schedule_id AND s.enabled AND s.error IS NULL
  JOIN bots b ON b.id = s.bot_id AND {_SERVED}
 WHERE z.due <= now() ORDER BY z.due LIMIT :limit FOR UPDATE OF z SKIP LOCKED
""")  # noqa: S608 - joined from constants
_PLAN: Final = text("""
WITH r AS MATERIALIZED (
  SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS z(
    schedule_id bigint, zone text, bot_id bigint, customer_id bigint, slot text, moment timestamptz, since timestamptz,
    state text, next_run timestamptz)
), made AS (
  INSERT INTO schedule_runs (schedule_id, zone, bot_id, customer_id, slot, moment, since, state, finished_at)
  SELECT schedule_id, zone, bot_id, customer_id, slot, moment, since, state, CASE WHEN state <> 'open' THEN now() END
    FROM r WHERE slot IS NOT NULL ORDER BY moment ON CONFLICT (bot_id, schedule_id, zone, slot) DO NOTHING RETURNING 1
), moved AS (
  UPDATE schedule_zones z SET next_run = r.next_run, due = r.next_run FROM r
   WHERE z.schedule_id = r.schedule_id AND z.zone = r.zone
)
SELECT count(*) FROM made
""")
_BROKEN: Final = text("""
UPDATE schedules SET error = :why, version = version + 1 WHERE id = :id
""")
_NEXT: Final = text(f"""
SELECT r.*, now() AS now, s.name, s.recurrence, s.zone AS of_zone, s.audience, s.content, s.quiet, s.cap, s.jitter,
       s.grace, b.settings->>'time_zone' AS bot_zone
  FROM schedule_runs r JOIN schedules s ON s.id = r.schedule_id AND s.enabled AND s.error IS NULL
  JOIN bots b ON b.id = r.bot_id AND {_SERVED}
 WHERE r.state = 'open'
 ORDER BY r.planned, r.moment LIMIT 1 FOR UPDATE OF r SKIP LOCKED
""")  # noqa: S608 - joined from constants
_DONE: Final = text("""
UPDATE schedule_runs SET state = :state, position = :position, planned = planned + :planned,
       skipped = (SELECT coalesce(jsonb_object_agg(key, total), '{}') FROM (
         SELECT key, sum(value::bigint) AS total FROM (
           SELECT * FROM jsonb_each_text(skipped) UNION ALL SELECT * FROM jsonb_each_text(CAST(:skipped AS jsonb))) e
          GROUP BY key) t),
       finished_at = CASE WHEN :state <> 'open' THEN now() END
 WHERE id = :id
""")
# Of a look that found nobody silent for long enough nothing is kept.
_NOTHING: Final = text("""
DELETE FROM schedule_runs WHERE id = :id AND since IS NOT NULL AND planned = 0 AND skipped = '{}'
""")
_OPEN: Final = text(f"""
SELECT r.id FROM schedule_runs r JOIN schedules s ON s.id = r.schedule_id AND s.enabled AND s.error IS NULL
  JOIN bots b ON b.id = r.bot_id AND {_SERVED}
 WHERE r.state = 'open' LIMIT 1 FOR UPDATE OF r SKIP LOCKED
""")  # noqa: S608 - joined from constants
_OF_PEOPLE: Final = text("""
SELECT s.id, s.bot_id, s.customer_id, s.recurrence, s.ends_at, s.enabled AND s.error IS NULL AS goes_on, now() AS now,
       b.settings->>'time_zone' AS bot_zone
  FROM schedules s JOIN bots b ON b.id = s.bot_id WHERE s.zone = :person AND s.recurrence->>'type' IN ('once', 'cron')
""")
_NEW_ZONE: Final = text("""
INSERT INTO schedule_zones (schedule_id, zone, bot_id, customer_id, next_run, due)
SELECT :schedule, :zone, :bot, :customer, CAST(:next_run AS timestamptz),
       CASE WHEN :goes_on THEN CAST(:next_run AS timestamptz) END
 WHERE EXISTS (SELECT 1 FROM schedules WHERE id = :schedule) ON CONFLICT DO NOTHING
""")
_SLOW: Final = "SET LOCAL statement_timeout = '60s'"


class AutonomousManager:
    """Plans the messages that bots send by themselves."""

    def plan(self) -> int:
        """Make runs of all moments that have come; how many. One that is later than its grace is noted as missed."""
        count = 0
        for _ in range(_ROUNDS):
            with get_sessions("system").begin() as session:
                found = [dict(row) for row in session.execute(_DUE, {"limit": _AT_ONCE}).mappings()]
                rows = [row for one in found if (row := _planned(session, one)) is not None]
                if rows:
                    count += session.execute(_PLAN, {"rows": orjson.dumps(rows).decode()}).scalar_one()
            if not found:
                break
        return count

    def has_work(self) -> bool:
        """Whether there is a run that is not over, and that nobody is at work on."""
        with get_engine("system").begin() as connection:
            return connection.execute(_OPEN).first() is not None

    def work(self, seconds: float) -> tuple[set[int], bool]:
        """Put messages of open runs into the outbox, for so long; those with the fewest so far go first.

        Returns:
            The bots that have something to send now, and whether there was more to do.
        """
        until, bots = time.monotonic() + seconds, set[int]()
        while time.monotonic() < until:
            worked = _work_once()
            if worked is None:
                return bots, False
            bots |= worked
        return bots, True

    def learn_zones(self) -> int:
        """Look for time zones in which people of schedules are that were in none of these; how many were found."""
        count = 0
        with get_engine("system").begin() as connection:
            connection.exec_driver_sql(_SLOW)
            for row in connection.execute(_OF_PEOPLE, {"person": PERSON}).all():
                zones = {*connection.execute(ZONES, {"bot": row.bot_id}).scalars(), row.bot_zone or "UTC"}
                for zone in sorted(filter(is_zone, zones)):
                    values = {
                        "schedule": row.id, "zone": zone, "bot": row.bot_id, "customer": row.customer_id,
                        "next_run": next_moment(row.recurrence, zone, row.now, row.ends_at), "goes_on": row.goes_on,
                    }  # fmt: skip
                    count += connection.execute(_NEW_ZONE, values).rowcount
        return count


def _planned(session: Session, row: dict[str, Any]) -> dict[str, Any] | None:
    """What becomes of a moment; nothing of one whose schedule is broken, which is noted."""
    now, moment, ends = row["now"], row["next_run"], row["ends_at"]
    silence = row["recurrence"].get("type") == SILENCE
    try:
        after = following(row["recurrence"], row["zone"], moment, now)
        slot = slot_of(row["recurrence"], row["zone"], now if silence else moment)
    except (ValueError, KeyError, TypeError) as error:
        # One broken row stops no other: a time zone may have gone with a new system.
        _give_up(session, row["bot_id"], row["schedule_id"], f"{type(error).__name__}: {error}")
        return None
    late = not silence and (now - moment).total_seconds() > row["grace"]
    over = ends is not None and moment > ends
    if late and not over:
        _tell(session, row["bot_id"], ScheduleMissed(row["schedule_id"], moment.isoformat()))
    return {
        **{name: row[name] for name in ("schedule_id", "zone", "bot_id", "customer_id")},
        "slot": None if over else slot, "moment": now if silence else moment,
        "since": moment - timedelta(minutes=1) if silence else None,
        "state": "missed" if late else "open", "next_run": None if over or (ends and after and after > ends) else after,
    }  # fmt: skip


def _give_up(session: Session, bot_id: int, schedule_id: int, why: str) -> None:
    log.warning("schedule_broken", bot=bot_id, schedule=schedule_id, error=why)
    session.execute(_BROKEN, {"id": schedule_id, "why": why})
    _tell(session, bot_id, ScheduleFailed(schedule_id, why))


def _tell(session: Session, bot_id: int, event: DomainEvent) -> None:
    bot = session.get(Bot, bot_id)
    if bot is not None:
        record(session, bot, event)


def _work_once() -> set[int] | None:
    """A part of one run; nothing: there is none."""
    with get_sessions("system").begin() as session:
        row = session.execute(_NEXT).mappings().first()
        if row is None:
            return None
        run = dict(row)
        try:
            with session.begin_nested():
                part = put_part(session, run)
                _note(session, run, part)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            # What is kept of it is not what it should be: other schedules go on.
            _give_up(session, run["bot_id"], run["schedule_id"], f"{type(error).__name__}: {error}")
            return set()
        return {run["bot_id"]} if part.planned else set()


def _note(session: Session, run: dict[str, Any], part: Part) -> None:
    state = "open" if part.position is not None else "missed" if part.too_late else "done"
    values = {
        "id": run["id"], "state": state, "planned": part.planned, "skipped": orjson.dumps(part.skipped).decode(),
        "position": run["position"] if part.position is None else part.position,
    }  # fmt: skip
    session.execute(_DONE, values)
    if state == "done":
        session.execute(_NOTHING, {"id": run["id"]})
