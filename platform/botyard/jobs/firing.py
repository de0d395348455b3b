"""Puts jobs whose moment has come into the mailboxes of their chats. See docs/jobs.md.

Any number of clocks may do so at once. A moment becomes a firing, with a number of its own, in the same transaction
that moves its job on to the next one. The firing stays in the row until the update of its number is resolved, and is
put into the mailbox again now and then: the mailbox knows the number, unless Redis has lost both.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
import structlog
from sqlalchemy import Connection, text

from botyard.jobs.stored import KEY, StoredJob
from botyard.jobs.triggers import moment_after
from db.engine import get_engine

log = structlog.get_logger(__name__)

Put = Callable[[int, str, int, bytes], None]
"""Gets Telegram's id of the bot, the key of the mailbox, the number and the JSON."""

_AT_ONCE: Final = 100
_ROUNDS: Final = 20
# How long until it is looked whether a firing was resolved; each time twice as long.
_LOOK_SECONDS: Final = 10
_LONGEST_LOOK: Final = 600
_BROKEN: Final = timedelta(hours=1)

_DUE: Final = text("""
SELECT now() AS now, b.telegram_id, j.*, c.moved_to::bigint AS moved_to
  FROM jobs j JOIN bots b ON b.id = j.bot_id AND b.status NOT IN ('inactive', 'maintenance')
  LEFT JOIN chats c ON c.bot_id = j.bot_id AND c.chat_key = j.chat_id::text AND c.moved_to ~ '^-?[0-9]+$'
 WHERE j.due <= now() ORDER BY j.due LIMIT :limit FOR UPDATE OF j SKIP LOCKED
""")
_FIRE: Final = text("""
UPDATE jobs j SET next_run = z.next_run, due = z.due, firing_at = z.firing_at, puts = z.puts, chat_id = z.chat_id,
       chat_key = z.chat_key,
       firing_id = CASE WHEN z.firing_at IS NULL THEN NULL
                        ELSE coalesce(j.firing_id, nextval('internal_update_ids')) END
  FROM jsonb_to_recordset(cast(:rows AS jsonb)) AS z(
    bot_id bigint, id text, chat_id bigint, chat_key text, next_run timestamptz, due timestamptz,
    firing_at timestamptz, puts smallint)
 WHERE j.bot_id = z.bot_id AND j.id = z.id RETURNING j.bot_id, j.id, j.firing_id
""")
_OVER: Final = text("""
DELETE FROM jobs WHERE (bot_id, id) IN (
  SELECT * FROM unnest(cast(:bots AS bigint[]), cast(:ids AS text[])))
   AND next_run IS NULL AND firing_id IS NULL AND enabled AND declared IS NULL
""")


def fire_due(put: Put) -> int:
    """Put every job that is due into its mailbox; how many that were.

    Args:
        put: puts an entry into a mailbox; what it raises ends this, and is made good by the next calls.
    """
    count = 0
    for _ in range(_ROUNDS):
        with get_engine("system").begin() as connection:
            found = [dict(row._mapping) for row in connection.execute(_DUE, {"limit": _AT_ONCE})]  # noqa: SLF001 - public
            numbers = _moved_on(connection, found) if found else {}
        for row in found:
            number = numbers.get((row["bot_id"], row["id"]))
            if number is not None:
                put(row["telegram_id"], row["chat_key"], number, _entry(row, number))
                count += 1
        if len(found) < _AT_ONCE:
            break
    return count


def _moved_on(connection: Connection, found: list[dict[str, Any]]) -> dict[tuple[int, str], int | None]:
    """Make firings of what is due; their numbers, nothing for a moment that is not worth firing any more."""
    rows = [_next_state(row) for row in found]
    fired = connection.execute(_FIRE, {"rows": orjson.dumps(rows).decode()})
    numbers = {(bot_id, job_id): number for bot_id, job_id, number in fired}
    missed = [key for key, number in numbers.items() if number is None]
    if missed:
        connection.execute(_OVER, {"bots": [bot for bot, _ in missed], "ids": [job for _, job in missed]})
    return numbers


def _next_state(row: dict[str, Any]) -> dict[str, Any]:
    """What a row becomes. Its moment is kept in it, for the entry."""
    now, moment = row["now"], row["next_run"]
    if row["moved_to"] is not None:
        # A group that became a supergroup.
        row["chat_id"], row["chat_key"] = row["moved_to"], str(row["moved_to"])
    state = {name: row[name] for name in ("bot_id", "id", "chat_id", "chat_key")}
    if row["firing_id"] is not None:
        row["moment"] = row["firing_at"]
        return state | {
            "next_run": moment, "firing_at": row["firing_at"], "puts": min(row["puts"] + 1, 10),
            "due": now + _look_after(row["puts"] + 1),
        }  # fmt: skip
    row["moment"] = moment
    try:
        following = moment_after(row["trigger"], moment if row["catches_up"] else max(moment, now))
    except (ValueError, KeyError, TypeError) as error:
        # One bot's broken row must not keep others from firing: a time zone may have gone with a new system.
        log.exception("job_trigger_broken", bot=row["bot_id"], job=row["id"], error=type(error).__name__)
        return state | {"next_run": moment, "firing_at": None, "puts": 0, "due": now + _BROKEN}
    if row["grace"] is not None and (now - moment).total_seconds() > row["grace"]:
        log.warning("job_missed", bot=row["bot_id"], job=row["id"], name=row["name"], moment=moment.isoformat())
        return state | {"next_run": following, "firing_at": None, "puts": 0, "due": following}
    return state | {"next_run": following, "firing_at": moment, "puts": 0, "due": now + _look_after(0)}


def _look_after(puts: int) -> timedelta:
    return timedelta(seconds=min(_LOOK_SECONDS * 2 ** min(puts, 10), _LONGEST_LOOK))


def _entry(row: dict[str, Any], number: int) -> bytes:
    """What stands for an update; with everything that is needed to replay it when its job is gone."""
    fields = {name: row[name] for name in StoredJob.__slots__ if name in row and name != "firing_id"}
    moment: datetime = row["moment"]
    fields |= {"firing": number, "at": moment}
    return orjson.dumps({"update_id": number, KEY: fields})
