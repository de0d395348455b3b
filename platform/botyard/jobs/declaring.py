"""Jobs that a bot's code makes while it is built: once for the bot, however often and by whomever it is built.

See docs/jobs.md.
"""

from collections import Counter
from collections.abc import Iterable
from hashlib import sha256
from typing import Any, Final

import orjson
from sqlalchemy import Connection, text

from botyard.errors import InputError
from botyard.jobs.stored import MOST_JOBS, StoredJob, StoredJobs, mailbox_of
from db.engine import get_engine

_BEGIN: Final = text("""
SELECT set_config('app.tenant', :tenant, true), pg_advisory_xact_lock(hashtextextended('jobs', :bot))
""")
_CURRENT: Final = text("SELECT 1 FROM bots WHERE id = :bot AND config_version <= :version AND removal_began IS NULL")
_KNOWN: Final = text("""
SELECT declared, declared_version, next_run, firing_id, enabled FROM jobs WHERE bot_id = :bot AND declared IS NOT NULL
""")
_GONE: Final = text("DELETE FROM jobs WHERE bot_id = :bot AND declared IS NOT NULL AND declared <> ALL(:declared)")
_SEEN: Final = text("UPDATE jobs SET declared_version = :version WHERE bot_id = :bot AND declared = ANY(:declared)")
_MADE: Final = text("""
INSERT INTO jobs (bot_id, customer_id, id, name, callback, data, chat_id, user_id, chat_key, trigger, grace, catches_up,
                  enabled, next_run, due, declared, declared_version)
SELECT :bot, :customer, id, name, callback, data, chat_id, user_id, chat_key, trigger, grace, catches_up, enabled,
       next_run, CASE WHEN enabled THEN next_run END, declared, :version
  FROM jsonb_to_recordset(cast(:rows AS jsonb)) AS z(
    id text, name text, callback text, data jsonb, chat_id bigint, user_id bigint, chat_key text, trigger jsonb,
    grace bigint, catches_up bool, enabled bool, next_run timestamptz, declared text)
ON CONFLICT (bot_id, id) DO UPDATE SET
  name = excluded.name, callback = excluded.callback, data = excluded.data, chat_id = excluded.chat_id,
  user_id = excluded.user_id, chat_key = excluded.chat_key, trigger = excluded.trigger, grace = excluded.grace,
  catches_up = excluded.catches_up, enabled = excluded.enabled, next_run = excluded.next_run, due = excluded.due,
  declared = excluded.declared, declared_version = excluded.declared_version, firing_id = NULL, firing_at = NULL
""")


def declare(jobs: StoredJobs, version: int, made: Iterable[StoredJob]) -> None:
    """Let the bot have exactly these declared jobs.

    One that is known stays as it is, with its next moment. One that has fired for the last time, or was removed by a
    handler, begins anew with the bot's next configuration version.

    Args:
        jobs: whose.
        version: the configuration version that declares them; an older one than the bot's changes nothing.
        made: the jobs. Their ids become those under which every process knows them.

    Raises:
        InputError: there are more of them than a bot may have.
    """
    wanted = _by_digest(made)
    if len(wanted) > MOST_JOBS:
        raise InputError("job_queue", f"a bot may have {MOST_JOBS} jobs, and not {len(wanted)}.", "Make fewer.")
    who: dict[str, Any] = {"bot": jobs.bot_id, "customer": jobs.customer_id, "version": version}
    with get_engine("application").begin() as connection:
        connection.execute(_BEGIN, {"tenant": str(jobs.customer_id), "bot": jobs.bot_id})
        if connection.execute(_CURRENT, who).first() is None:
            return
        connection.execute(_GONE, who | {"declared": list(wanted)})
        known = _standing(connection, who, wanted)
        rows = [job.written() | {"declared": said} for said, job in wanted.items() if said not in known]
        connection.execute(_SEEN, who | {"declared": sorted(known)})
        if rows:
            connection.execute(_MADE, who | {"rows": orjson.dumps(rows).decode()})


def _by_digest(made: Iterable[StoredJob]) -> dict[str, StoredJob]:
    """The jobs by what they say. Several that say the same are told apart by their order."""
    seen: Counter[str] = Counter()
    wanted = {}
    for job in made:
        own = job.id if job.has_own_id else None
        words = orjson.dumps(
            [job.callback, job.name, job.said, job.chat_id, job.user_id, job.data, job.grace, job.catches_up, own],
            option=orjson.OPT_SORT_KEYS,
        ).decode()
        digest = sha256(f"{words} {seen[words]}".encode()).hexdigest()
        seen[words] += 1
        wanted[digest] = job
        if own is None:
            # Handlers may hold on to a job that was made while the bot was built.
            job.id = f"declared:{digest[:32]}"
            job.chat_key = mailbox_of(job.id, job.chat_id, job.user_id)
    return wanted


def _standing(connection: Connection, who: dict[str, Any], wanted: dict[str, StoredJob]) -> set[str]:
    """Those that are to stay as they are."""
    standing = set()
    for row in connection.execute(_KNOWN, who):
        job = wanted[row.declared]
        alive = row.next_run is not None or row.firing_id is not None or not row.enabled
        once_for_all = job.trigger["type"] == "date" and not job.relative
        if alive or once_for_all or row.declared_version >= who["version"]:
            standing.add(row.declared)
    return standing
