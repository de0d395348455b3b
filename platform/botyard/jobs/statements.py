"""What is added to the statements of `botyard.processing.store` for those batches in which a job has a part."""

from typing import Final

LOADED: Final = """
UNION ALL
SELECT 'j', firing_id::text, NULL, jsonb_build_array(id, name, callback, data, chat_id, user_id, chat_key, trigger,
       grace, catches_up, enabled, next_run, firing_id)::text, 0 FROM jobs
 WHERE bot_id = %(bot)s AND firing_id = ANY(%(updates)s) AND enabled
"""

COLUMNS: Final = ", fired bool, jobs jsonb"

# Behind the rows of the batch: whose new jobs have no room.
CROWDED: Final = """
, wish AS MATERIALIZED (
  SELECT r.u, z.* FROM r, jsonb_to_recordset(r.jobs) AS z(
    op text, id text, name text, callback text, data jsonb, chat_id bigint, user_id bigint, chat_key text,
    trigger jsonb, grace bigint, catches_up bool, enabled bool, next_run timestamptz)
), crowded AS MATERIALIZED (
  SELECT wish.u FROM wish LEFT JOIN jobs k ON k.bot_id = %(bot)s AND k.id = wish.id
   WHERE wish.op = 'put' AND k.id IS NULL
   GROUP BY wish.u HAVING count(*) + (
     SELECT count(*) FROM jobs WHERE bot_id = %(bot)s AND NOT starts_with(id, 'schedule:')) > %(most_jobs)s
)
"""
HAS_ROOM: Final = " AND NOT EXISTS (SELECT 1 FROM crowded WHERE crowded.u = r.u)"
AND_CROWDED: Final = " UNION ALL SELECT crowded.u, NULL FROM crowded, b"

# Each row of jobs is touched by one of these at most: by what a handler did with it, else by the end of its firing.
WRITTEN: Final = """
, p AS MATERIALIZED (
  SELECT wish.* FROM wish JOIN y ON y.u = wish.u
), job_put AS (
  INSERT INTO jobs AS k (bot_id, customer_id, id, name, callback, data, chat_id, user_id, chat_key, trigger, grace,
                         catches_up, enabled, next_run, due)
  SELECT %(bot)s, %(customer)s, id, name, callback, data, chat_id, user_id, chat_key, trigger, grace, catches_up,
         enabled, next_run, CASE WHEN enabled THEN next_run END FROM p WHERE op = 'put' ORDER BY id
  ON CONFLICT (bot_id, id) DO UPDATE SET
    name = excluded.name, callback = excluded.callback, data = excluded.data, chat_id = excluded.chat_id,
    user_id = excluded.user_id, chat_key = excluded.chat_key, trigger = excluded.trigger, grace = excluded.grace,
    catches_up = excluded.catches_up, enabled = excluded.enabled, next_run = excluded.next_run, due = excluded.due,
    firing_id = NULL, firing_at = NULL, puts = 0
), job_drop AS (
  DELETE FROM jobs k USING p WHERE k.bot_id = %(bot)s AND k.id = p.id AND p.op = 'drop' AND k.declared IS NULL
), job_end AS (
  -- What the bot's code declares stays known, or the next process that builds the bot would make it anew.
  UPDATE jobs k SET next_run = NULL, due = NULL, firing_id = NULL, firing_at = NULL, enabled = true FROM p
   WHERE k.bot_id = %(bot)s AND k.id = p.id AND p.op = 'drop' AND k.declared IS NOT NULL
), job_set AS (
  UPDATE jobs k SET data = coalesce(p.data, k.data), enabled = coalesce(p.enabled, k.enabled),
         next_run = CASE WHEN p.enabled IS NULL THEN k.next_run ELSE p.next_run END,
         due = CASE WHEN p.enabled IS NOT NULL THEN p.next_run
                    WHEN k.firing_id = p.u THEN k.next_run ELSE k.due END,
         firing_id = CASE WHEN p.enabled IS NULL AND k.firing_id <> p.u THEN k.firing_id END,
         firing_at = CASE WHEN p.enabled IS NULL AND k.firing_id <> p.u THEN k.firing_at END
    FROM p WHERE k.bot_id = %(bot)s AND k.id = p.id AND p.op = 'set'
), job_over AS (
  DELETE FROM jobs k USING y WHERE y.fired AND k.bot_id = %(bot)s AND k.firing_id = y.u AND k.next_run IS NULL
     AND k.enabled AND k.declared IS NULL AND NOT EXISTS (SELECT 1 FROM p WHERE p.id = k.id)
), job_on AS (
  UPDATE jobs k SET due = k.next_run, firing_id = NULL, firing_at = NULL, puts = 0 FROM y
   WHERE y.fired AND k.bot_id = %(bot)s AND k.firing_id = y.u
     AND (k.next_run IS NOT NULL OR NOT k.enabled OR k.declared IS NOT NULL)
     AND NOT EXISTS (SELECT 1 FROM p WHERE p.id = k.id)
)
"""
