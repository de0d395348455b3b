"""Schedules as their owner's transaction has them: made, changed, paused, asked for now, and what became of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import delete, func, select, text
from sqlalchemy.orm import Session

from botyard.errors import InputError, Stale
from botyard.events import ScheduleChanged, record
from botyard.jobs.moments import is_zone, next_moment, upcoming
from botyard.jobs.stored import OF_SCHEDULE
from botyard.schedules.plans import Plan, is_of_people
from db.claims import took_effect
from db.models import Bot, Occurrence, Schedule, ScheduleRun, ScheduleZone
from db.waiting import LET_NEXT

MOST: Final = 200
"""As many schedules may a bot have."""
_UTC: Final = "UTC"
ZONES: Final = text("""
SELECT DISTINCT attributes->>'time_zone' FROM bot_users WHERE bot_id = :bot AND attributes ? 'time_zone'
""")
"""In which time zones people of a bot say that they are."""
_WITHDRAW: Final = text(f"""
WITH ended AS (
  UPDATE outbox SET state = CASE WHEN uncertain_count > 0 THEN 'uncertain' ELSE 'dropped' END, error = :why,
         resolved_at = now()
   WHERE bot_id = :bot AND state IN ('queued', 'retry') AND id IN (
     SELECT o.send_id FROM occurrences o JOIN schedule_runs r ON r.id = o.run_id
      WHERE r.schedule_id = :schedule AND r.moment > now() - interval '8 days') RETURNING *
), {LET_NEXT}
SELECT count(*) FROM ended
""")  # noqa: S608 - joined from constants
_OUTCOMES: Final = text("""
SELECT o.run_id, b.state, count(*) AS total FROM occurrences o JOIN outbox b ON b.id = o.send_id
 WHERE o.run_id = ANY(:runs) GROUP BY o.run_id, b.state
""")
_NOT_RUN: Final = text("DELETE FROM jobs WHERE bot_id = :bot AND starts_with(id, :id) AND firing_id IS NULL")
_LONG: Final = text("SET LOCAL statement_timeout = '60s'")


@dataclass(frozen=True, slots=True)
class Ran:
    """A moment that came, and what became of it.

    Args:
        run: its row.
        outcomes: how many of its messages are how far, as long as the outbox remembers them.
    """

    run: ScheduleRun
    outcomes: dict[str, int]


def make(session: Session, bot: Bot, plan: Plan) -> Schedule:
    """Make a schedule, in the caller's transaction.

    Raises:
        InputError: something of it makes no sense, or there are too many.
    """
    count = session.scalar(select(func.count()).select_from(Schedule).where(Schedule.bot_id == bot.id)) or 0
    if count >= MOST:
        raise InputError("schedules", f"are {MOST} already.", "Remove one first.")
    schedule = Schedule(bot_id=bot.id, customer_id=bot.customer_id, **plan.columns(zone_of(bot), _now()))
    session.add(schedule)
    session.flush()
    _lay_out(session, bot, schedule)
    _tell(session, bot, schedule, "made")
    took_effect(session, bot=bot.id, schedule=schedule.id)
    return schedule


def change(session: Session, bot: Bot, schedule: Schedule, plan: Plan) -> None:
    """Let a schedule be another one: its moments begin anew. Nobody is written to twice for one."""
    for name, value in plan.columns(zone_of(bot), _now()).items():
        setattr(schedule, name, value)
    schedule.error = None
    schedule.version += 1
    _lay_out(session, bot, schedule)
    _tell(session, bot, schedule, "changed")


def switch(session: Session, bot: Bot, schedule: Schedule, *, enabled: bool) -> int:
    """Pause a schedule, or let it go on from now: its moments in between are none.

    Returns:
        How many messages that were not sent yet were taken back.
    """
    withdrawn = 0
    schedule.enabled, schedule.error = enabled, None
    schedule.version += 1
    if not enabled:
        withdrawn = _withdraw(session, schedule)
    _lay_out(session, bot, schedule)
    _tell(session, bot, schedule, "resumed" if enabled else "paused")
    return withdrawn


def remove(session: Session, bot: Bot, schedule: Schedule) -> None:
    """Forget a schedule; what it has not sent yet is taken back."""
    _withdraw(session, schedule)
    for model in (ScheduleZone, ScheduleRun, Occurrence):
        session.execute(delete(model).where(model.bot_id == bot.id, model.schedule_id == schedule.id))
    _tell(session, bot, schedule, "removed")
    session.delete(schedule)


def run_now(session: Session, bot: Bot, schedule: Schedule) -> ScheduleRun:
    """Send it once, now, to all whom it is for; its own moments stay as they are.

    Raises:
        InputError: it is paused.
    """
    if not schedule.enabled:
        raise InputError("schedule", "is paused.", "Resume it first.")
    now = _now()
    run = ScheduleRun(
        schedule_id=schedule.id, bot_id=schedule.bot_id, customer_id=schedule.customer_id, zone="",
        slot=f"now {now.isoformat()}", moment=now, state="open",
    )  # fmt: skip
    session.add(run)
    session.flush()
    _tell(session, bot, schedule, "asked for")
    took_effect(session, bot=schedule.bot_id, schedule=schedule.id, run=run.id)
    return run


def schedules(session: Session, bot_id: int, after: int = 0, limit: int = MOST) -> Sequence[Schedule]:
    """Schedules of a bot, in the order in which they were made."""
    query = select(Schedule).where(Schedule.bot_id == bot_id, Schedule.id > after).order_by(Schedule.id).limit(limit)
    return session.scalars(query).all()


def schedule_of(
    session: Session, bot_id: int, schedule_id: int, expected: int | None = None, *, to_change: bool = False
) -> Schedule | None:
    """One of them; none: there is no such one.

    Raises:
        Stale: it has another version than the expected one.
    """
    query = select(Schedule).where(Schedule.bot_id == bot_id, Schedule.id == schedule_id)
    found = session.scalar(query.with_for_update() if to_change else query)
    if found is not None and expected is not None and found.version != expected:
        raise Stale(found.version)
    return found


def next_runs(session: Session, schedule_ids: Sequence[int]) -> dict[int, datetime]:
    """The next moment of each schedule that has one and is not paused."""
    query = (
        select(ScheduleZone.schedule_id, func.min(ScheduleZone.due))
        .where(ScheduleZone.schedule_id.in_(schedule_ids), ScheduleZone.due.is_not(None))
        .group_by(ScheduleZone.schedule_id)
    )
    return {number: moment for number, moment in session.execute(query) if moment is not None}


def runs(session: Session, schedule_id: int, before: int | None, limit: int) -> list[Ran]:
    """What became of its moments, the latest first."""
    query = select(ScheduleRun).where(ScheduleRun.schedule_id == schedule_id)
    if before is not None:
        query = query.where(ScheduleRun.id < before)
    found = session.scalars(query.order_by(ScheduleRun.id.desc()).limit(limit)).all()
    outcomes: dict[int, dict[str, int]] = {}
    for row in session.execute(_OUTCOMES, {"runs": [run.id for run in found]}):
        outcomes.setdefault(row.run_id, {})[row.state] = row.total
    return [Ran(run, outcomes.get(run.id, {})) for run in found]


def preview(bot: Bot, plan: Plan, count: int = 5) -> list[datetime]:
    """The next moments of a schedule that is not made yet; of people's own zones those of the bot's.

    Raises:
        InputError: something of it makes no sense.
    """
    columns = plan.columns(zone_of(bot), _now())
    zone = columns["zone"] if is_zone(columns["zone"]) else zone_of(bot)
    return upcoming(columns["recurrence"], zone, _now(), count, plan.ends_at)


def moments_of(bot: Bot, schedule: Schedule, count: int = 5) -> list[datetime]:
    """The next moments of one that is there."""
    if not schedule.enabled or schedule.error is not None:
        return []
    zone = schedule.zone if is_zone(schedule.zone) else zone_of(bot)
    return upcoming(schedule.recurrence, zone, _now(), count, schedule.ends_at)


def zone_of(bot: Bot) -> str:
    """The time zone of a bot."""
    found = str((bot.settings or {}).get("time_zone"))
    return found if is_zone(found) else _UTC


def _lay_out(session: Session, bot: Bot, schedule: Schedule) -> None:
    """Its moments from now on, zone by zone."""
    session.execute(delete(ScheduleZone).where(ScheduleZone.bot_id == bot.id, ScheduleZone.schedule_id == schedule.id))
    zones = {schedule.zone if is_zone(schedule.zone) else zone_of(bot)}
    if is_of_people(schedule.zone, schedule.recurrence):
        session.execute(_LONG)
        zones |= {zone for zone in session.execute(ZONES, {"bot": bot.id}).scalars() if is_zone(zone)}
    for zone in sorted(zones):
        moment = next_moment(schedule.recurrence, zone, _now(), schedule.ends_at)
        session.add(
            ScheduleZone(
                schedule_id=schedule.id, zone=zone, bot_id=bot.id, customer_id=bot.customer_id, next_run=moment,
                due=moment if schedule.enabled else None,
            )
        )  # fmt: skip


def _withdraw(session: Session, schedule: Schedule) -> int:
    session.execute(_LONG)
    session.execute(
        text(
            "UPDATE schedule_runs SET state = 'done', finished_at = now() WHERE bot_id = :bot AND schedule_id = :id"
            " AND state = 'open'"
        ),
        {"bot": schedule.bot_id, "id": schedule.id},
    )
    values = {"bot": schedule.bot_id, "schedule": schedule.id, "why": "it was cancelled"}
    commands = session.connection().execute(_NOT_RUN, {"bot": schedule.bot_id, "id": f"{OF_SCHEDULE}{schedule.id}:"})
    return int(session.execute(_WITHDRAW, values).scalar_one()) + commands.rowcount


def _tell(session: Session, bot: Bot, schedule: Schedule, how: str) -> None:
    record(session, bot, ScheduleChanged(schedule.id, schedule.name, how))


def _now() -> datetime:
    return datetime.now(UTC)
