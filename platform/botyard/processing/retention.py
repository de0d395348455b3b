"""What is forgotten, and when. See docs/processing.md.

Inbox rows back up the seen bits (48 h) and must be gone before a week has passed: after a week of silence Telegram
restarts a bot's update ids at random, and an old row would swallow a new update. What is to last longer stands in the
message history, the events and the dead letters, which settings limit.
"""

from dataclasses import dataclass
from typing import Final

from botyard.media.attached import FILES
from botyard.media.store import MediaStore
from botyard.settings import Settings
from db.engine import get_engine

_KEPT_HOURS: Final = 72
_BATCH: Final = 5000
_LONG_STATEMENT: Final = "10min"
_STATEMENTS: Final = (
    """DELETE FROM inbox WHERE (telegram_id, update_id) IN (
         SELECT telegram_id, update_id FROM inbox
          WHERE resolved_at < now() - make_interval(hours => %(hours)s) LIMIT %(batch)s)""",
    """DELETE FROM outbox WHERE id IN (
         SELECT id FROM outbox WHERE state NOT IN ('queued', 'retry', 'sending')
            AND resolved_at < now() - make_interval(hours => %(hours)s) LIMIT %(batch)s)""",
    """DELETE FROM journal WHERE (bot_id, scope, position) IN (
         SELECT bot_id, scope, position FROM journal
          WHERE created_at < now() - make_interval(hours => %(hours)s) AND scope LIKE 'update %%' LIMIT %(batch)s)""",
    # What was called when a version of a bot began that is not the present one.
    """DELETE FROM journal WHERE (bot_id, scope, position) IN (
         SELECT j.bot_id, j.scope, j.position FROM journal j JOIN bots b ON b.id = j.bot_id
          WHERE j.created_at < now() - make_interval(hours => %(hours)s)
            AND j.scope LIKE 'start %%' AND split_part(j.scope, ' ', 2)::bigint < b.config_version LIMIT %(batch)s)""",
    # What a bot wants to be forgotten, and what nobody has come back for.
    """DELETE FROM conversations WHERE (bot_id, scope, key) IN (
         SELECT c.bot_id, c.scope, c.key FROM conversations c JOIN bots b ON b.id = c.bot_id
          WHERE c.scope <> 'bot' AND (b.settings->>'forget_after')::bigint > 0
            AND c.updated_at < now() - make_interval(hours => %(hours)s)
            AND c.updated_at < now() - (b.settings->>'forget_after')::bigint * interval '1 s' LIMIT %(batch)s)""",
    # Longer than anybody presses an old button.
    """DELETE FROM keyboards WHERE (bot_id, number) IN (
         SELECT bot_id, number FROM keyboards
          WHERE created_at < now() - make_interval(hours => 30 * %(hours)s) LIMIT %(batch)s)""",
    # Telegram keeps files for good; a bot that sends one again after a month uploads it once more.
    """DELETE FROM media WHERE (bot_id, sha256, kind) IN (
         SELECT bot_id, sha256, kind FROM media
          WHERE used_at < now() - make_interval(hours => 10 * %(hours)s) LIMIT %(batch)s)""",
    # Whoever repeats a request does it within a day.
    """DELETE FROM idempotency_keys WHERE (person_id, route, key) IN (
         SELECT person_id, route, key FROM idempotency_keys
          WHERE created_at < now() - make_interval(hours => %(hours)s) LIMIT %(batch)s)""",
    """DELETE FROM sign_ins WHERE id IN (
         SELECT id FROM sign_ins WHERE expires_at < now() - make_interval(hours => %(hours)s) LIMIT %(batch)s)""",
    """DELETE FROM invitations WHERE id IN (
         SELECT id FROM invitations WHERE expires_at < now() - make_interval(hours => %(hours)s) LIMIT %(batch)s)""",
)
# The oldest have the lowest numbers: there is no other index by which they are found, and none is needed.
_OLDEST: Final = """
DELETE FROM {table} WHERE id IN (
  SELECT id FROM (SELECT id, {at} AS at FROM {table} ORDER BY id LIMIT %(batch)s) oldest
   WHERE at < now() - make_interval(days => %(days)s))
"""
_MESSAGES: Final = _OLDEST.format(table="messages", at="at")
_EVENTS: Final = _OLDEST.format(table="events", at="at")
# A moment's own row goes when its messages are gone; what is still under way stays.
_OCCURRENCES: Final = """
DELETE FROM occurrences WHERE (bot_id, schedule_id, slot, recipient) IN (
  SELECT bot_id, schedule_id, slot, recipient FROM occurrences
   WHERE due < now() - make_interval(days => %(days)s) LIMIT %(batch)s)
"""
_RUNS: Final = """
DELETE FROM schedule_runs WHERE id IN (
  SELECT id FROM schedule_runs
   WHERE moment < now() - make_interval(days => %(days)s) AND state <> 'open' LIMIT %(batch)s)
"""
_DEAD_LETTERS: Final = _OLDEST.format(table="dead_letters", at="created_at")
# Tables that are small or new were never analysed; what was counted since the server's start is forgotten in a crash.
_SIZES: Final = """
SELECT relname, coalesce(nullif(pg_stat_get_live_tuples(oid), 0), greatest(reltuples, 0)::bigint),
       pg_total_relation_size(oid) FROM pg_class
 WHERE relname = ANY(%(tables)s) AND relnamespace = 'public'::regnamespace
"""
# What may still be sent: rows that are open, letters that may be replayed, and what schedules say.
_REFERRED: Final = f"""
SELECT f.value->>'sha256' FROM outbox o CROSS JOIN LATERAL jsonb_each(o.params->'{FILES}') f
 WHERE o.state IN ('queued', 'retry', 'sending') AND o.params ? '{FILES}'
UNION
SELECT f.value->>'sha256' FROM dead_letters d CROSS JOIN LATERAL json_each(
         CASE WHEN d.what = 'send' AND json_typeof(d.request->'params'->'{FILES}') = 'object'
         THEN d.request->'params'->'{FILES}' END) f
 WHERE d.replayed_at IS NULL
UNION
SELECT f.value->>'sha256' FROM schedules s CROSS JOIN LATERAL jsonb_each(s.content->'params'->'{FILES}') f
 WHERE s.content->'params' ? '{FILES}'
"""  # noqa: S608 - joined from a constant


def prune() -> int:
    """Delete old inbox rows and settled outbox rows, in small transactions; how many rows that were."""
    return sum(_pruned(statement, hours=_KEPT_HOURS) for statement in _STATEMENTS)


def prune_history(settings: Settings) -> int:
    """Delete what settings keep no longer, in small transactions; how many rows that were."""
    kept = (
        (_MESSAGES, settings.history_days),
        (_EVENTS, settings.events_days),
        (_DEAD_LETTERS, settings.dead_letters_days),
        (_OCCURRENCES, settings.occurrences_days),
        (_RUNS, settings.occurrences_days),
    )
    return sum(_pruned(statement, days=days) for statement, days in kept if days)


@dataclass(frozen=True, slots=True)
class Kept:
    """How much of something is kept.

    Args:
        table: where it is.
        rows: about how many it has, as PostgreSQL counts them.
        size: bytes, with its indexes.
        hours: for so long its rows are kept after they ended; none: for good.
    """

    table: str
    rows: int
    size: int
    hours: int | None


def kept(settings: Settings) -> list[Kept]:
    """What grows with each update, the largest first."""
    days = {
        "messages": settings.history_days,
        "events": settings.events_days,
        "dead_letters": settings.dead_letters_days,
        "occurrences": settings.occurrences_days,
        "conversations": 0,
        "bot_users": 0,
    }
    hours = {**dict.fromkeys(("inbox", "outbox", "journal"), _KEPT_HOURS), **{name: 24 * n for name, n in days.items()}}
    with get_engine("system").connect() as connection:
        found = connection.exec_driver_sql(_SIZES, {"tables": list(hours)}).all()
    sizes = [Kept(name, rows, size, hours[name] or None) for name, rows, size in found]
    return sorted(sizes, key=lambda one: one.size, reverse=True)


def _pruned(statement: str, **parameters: int) -> int:
    deleted = 0
    while True:
        with get_engine("system").begin() as connection:
            found = connection.exec_driver_sql(statement, {**parameters, "batch": _BATCH}).rowcount
        deleted += found
        if found < _BATCH:
            return deleted


def prune_media(media: MediaStore, keep_hours: float) -> int:
    """Delete the content of files that nothing refers to and nobody put for this long; how much of it that was.

    What was put later than that stays even if nothing refers to it: its update may not be committed yet.
    """
    seconds = keep_hours * 3600
    unused = list(media.unused(seconds))
    if not unused:
        return 0
    with get_engine("system").begin() as connection:
        # It reads every letter that may be replayed: of many that takes longer than a statement usually may.
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = '{_LONG_STATEMENT}'")
        referred = set(connection.exec_driver_sql(_REFERRED).scalars())
    return sum(media.remove(name, seconds) for name in unused if name not in referred)
