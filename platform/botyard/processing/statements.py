"""The statements of processing. See docs/processing.md."""

from functools import reduce
from itertools import compress, product
from operator import or_
from typing import Final

from botyard.jobs import statements as of_jobs
from db.prepared import Prepared
from db.waiting import SWEPT

_TYPES: Final = {
    "batch": "jsonb", "bot": "bigint", "chat": "text", "chats": "text[]", "customer": "bigint",
    "forgets_after": "float8", "keys": "text[]", "most_jobs": "bigint", "repeat": "text", "scopes": "text[]",
    "telegram_id": "bigint", "update": "bigint", "updates": "bigint[]",
}  # fmt: skip
_LOAD: Final = """
WITH w AS (SELECT * FROM unnest(%(scopes)s, %(keys)s) AS w(scope, key))
SELECT 'i' AS what, update_id::text AS scope, NULL AS key, NULL::text AS state, 0 AS version FROM inbox
 WHERE telegram_id = %(telegram_id)s AND update_id = ANY(%(updates)s)
UNION ALL
-- A run of it that came to no end may have written or called something.
SELECT 'b', b.u::text, NULL, NULL, 0 FROM unnest(%(updates)s) AS b(u)
 WHERE EXISTS (SELECT 1 FROM outbox o WHERE o.telegram_id = %(telegram_id)s AND o.update_id = b.u)
    OR EXISTS (SELECT 1 FROM journal j WHERE j.bot_id = %(bot)s
                AND j.scope = 'update ' || %(telegram_id)s || ' ' || b.u)
UNION ALL
SELECT 'm', 'chat', h.chat_key, h.moved_to, 0 FROM chats h
 WHERE h.bot_id = %(bot)s AND h.chat_key = ANY(%(chats)s) AND h.moved_to IS NOT NULL
UNION ALL
SELECT 'c', c.scope, c.key,
       CASE WHEN %(forgets_after)s > 0 AND c.scope <> 'bot'
             AND c.updated_at < now() - %(forgets_after)s * interval '1 s' THEN '{}' ELSE c.state::text END, c.version
  FROM conversations c JOIN w USING (scope, key)
 WHERE c.bot_id = %(bot)s
"""

_SENDS: Final = """n AS MATERIALIZED (
  SELECT s.*, nextval('outbox_id_seq') AS id FROM (
    -- An album has as many numbers as messages.
    SELECT y.u, y.at, coalesce((z.send->>'n')::bigint, z.n) AS n, z.send
      FROM y, jsonb_array_elements(y.sends) WITH ORDINALITY AS z(send, n) ORDER BY y.u, z.n) s
), o AS (
  INSERT INTO outbox (id, bot_id, customer_id, telegram_id, update_id, n, chat_key, lane, method, params, caused_at,
                      repeat_policy, deadline, after_id)
  SELECT n.id, %(bot)s, %(customer)s, %(telegram_id)s, n.u, n.n, n.send->>'chat', (n.send->>'lane')::smallint,
         n.send->>'method', n.send->'params', n.at,
         %(repeat)s, CASE WHEN (n.send->>'lane')::int = 0 THEN n.at ELSE now() END
                     + (n.send->>'seconds')::float8 * interval '1 s',
         coalesce(
           (SELECT a.id FROM n a WHERE a.u = (n.send->>'after_update')::bigint
             AND a.n <= (n.send->>'after_n')::bigint ORDER BY a.n DESC LIMIT 1),
           (SELECT a.id FROM outbox a WHERE a.telegram_id = %(telegram_id)s
             AND a.update_id = (n.send->>'after_update')::bigint
             AND a.n <= (n.send->>'after_n')::bigint ORDER BY a.n DESC LIMIT 1))
    FROM n
  -- Those that were written while the handlers were still running are there.
  ON CONFLICT (telegram_id, update_id, n) WHERE update_id IS NOT NULL DO NOTHING
  RETURNING id, n
)"""


_COMMIT: Final = """
WITH r AS MATERIALIZED (
  SELECT * FROM jsonb_to_recordset(%(batch)s) AS x(
    u bigint, k text, kind text, body text, at timestamptz, dead jsonb, guards jsonb, sends jsonb, messages jsonb,
    reach bool, started timestamptz, attempt bigint{columns}{person}{keyboards})
){crowded}, g AS MATERIALIZED (
  SELECT r.u, z.* FROM r, jsonb_to_recordset(r.guards) AS z(scope text, key text, version bigint, state text)
), v AS MATERIALIZED (
  SELECT c.scope, c.key, c.version FROM conversations c
   WHERE c.bot_id = %(bot)s AND (c.scope, c.key) IN (SELECT scope, key FROM g)
   ORDER BY c.scope, c.key FOR UPDATE
), b AS MATERIALIZED (
  -- Without a bot, or while it is being removed: nothing of it may come back.
  SELECT 1 FROM bots WHERE id = %(bot)s AND removal_began IS NULL
), x AS MATERIALIZED (
  SELECT r.* FROM r WHERE EXISTS (SELECT 1 FROM b) AND NOT EXISTS (
    SELECT 1 FROM g LEFT JOIN v USING (scope, key) WHERE g.u = r.u AND coalesce(v.version, 0) <> g.version)
    -- A stalled run of it has sent something under one of these numbers since this one began: load that, and run again.
    AND NOT EXISTS (SELECT 1 FROM jsonb_array_elements(r.sends) AS s(send) JOIN outbox w
      ON w.telegram_id = %(telegram_id)s AND w.update_id = r.u AND w.n = (s.send->>'n')::bigint
      WHERE NOT EXISTS (SELECT 1 FROM inbox k WHERE k.telegram_id = %(telegram_id)s AND k.update_id = r.u)){has_room}
), i AS (
  INSERT INTO inbox (telegram_id, update_id, bot_id, customer_id, chat_key, kind, body, state, received_at,
                     started_at, attempt)
  SELECT %(telegram_id)s, u, %(bot)s, %(customer)s, k, kind, body::json,
         CASE WHEN dead IS NULL THEN 'done' ELSE 'dead' END, at, started, attempt FROM x ORDER BY u
  ON CONFLICT DO NOTHING RETURNING update_id
), y AS MATERIALIZED (
  SELECT x.* FROM x JOIN i ON i.update_id = x.u
), born AS (
  -- No ON CONFLICT: two writers that both found no row must not both succeed. The second one fails on the key.
  INSERT INTO conversations (bot_id, scope, key, customer_id, state, version)
  SELECT %(bot)s, g.scope, g.key, %(customer)s, g.state::json, 1 FROM g JOIN y USING (u)
   WHERE g.state IS NOT NULL AND g.version = 0 ORDER BY g.scope, g.key
), changed AS (
  UPDATE conversations c SET state = g.state::json, version = c.version + 1, updated_at = now() FROM g JOIN y USING (u)
   WHERE c.bot_id = %(bot)s AND c.scope = g.scope AND c.key = g.key AND g.state IS NOT NULL AND g.version > 0
), {sends}, m AS (
  INSERT INTO messages (bot_id, customer_id, chat_key, direction, kind, message_id, update_id, text)
  SELECT %(bot)s, %(customer)s, y.k, 'in', y.kind, z.id, y.u, z.text
    FROM y, jsonb_to_recordset(y.messages) AS z(id bigint, text text)
), back AS (
  -- Who writes can be reached again. Only who said so needs a row: by it a refusal of an earlier call is old news.
  INSERT INTO chats AS c (bot_id, customer_id, chat_key, reachable_at)
  SELECT %(bot)s, %(customer)s, y.k, now() FROM y WHERE y.reach AND (y.kind = 'my_chat_member' OR EXISTS (
    SELECT 1 FROM chats u WHERE u.bot_id = %(bot)s AND u.chat_key = y.k AND u.unreachable_since IS NOT NULL))
   ORDER BY y.k
  ON CONFLICT (bot_id, chat_key) DO UPDATE
     SET unreachable_since = NULL, unreachable_reason = NULL, reachable_at = excluded.reachable_at
){lost}, e AS (
  INSERT INTO events (customer_id, bot_id, type, entity, actor, data)
  SELECT %(customer)s, %(bot)s, CASE WHEN y.dead IS NOT NULL THEN 'update.dead'
         WHEN y.kind = 'message' THEN 'message.received' ELSE 'update.processed' END,
         'update:' || y.u, 'bot', jsonb_build_object('chat', y.k, 'kind', y.kind) FROM y
){written}{seen}{forgotten}
-- No row at all: there is no such bot.
SELECT x.u, i.update_id IS NOT NULL FROM b LEFT JOIN x ON true LEFT JOIN i ON i.update_id = x.u{last}
"""
_LOST: Final = f""", lost AS (
  INSERT INTO chats AS c (bot_id, customer_id, chat_key, unreachable_since, unreachable_reason)
  SELECT %(bot)s, %(customer)s, y.k, now(), 'the bot was blocked or sent away there' FROM y WHERE NOT y.reach
   ORDER BY y.k
  ON CONFLICT (bot_id, chat_key) DO UPDATE
     SET unreachable_since = excluded.unreachable_since, unreachable_reason = excluded.unreachable_reason
  RETURNING c.*
), {SWEPT}, d AS (
  INSERT INTO dead_letters (bot_id, customer_id, what, telegram_id, update_id, chat_key, reason, detail, request,
                            attempts, fingerprint)
  SELECT %(bot)s, %(customer)s, 'update', %(telegram_id)s, y.u, y.k, y.dead->>'reason', y.dead->>'detail',
         y.body::json, (y.dead->>'attempts')::bigint, y.dead->>'fingerprint' FROM y WHERE y.dead IS NOT NULL
)"""  # noqa: S608 - joined from constants
# Who wrote, in the order of their numbers: two batches that know the same people wait for each other, and not both.
_SEEN: Final = """, seen AS (
  INSERT INTO bot_users AS p (bot_id, customer_id, user_id, first_name, last_name, username, language_code, is_premium,
                              first_seen, last_seen)
  SELECT DISTINCT ON (z.id) %(bot)s, %(customer)s, z.id, z.first_name, z.last_name, z.username, z.language_code,
         z.is_premium, z.at, z.at
    FROM y, jsonb_to_record(y.person) AS z(id bigint, first_name text, last_name text, username text,
                                           language_code text, is_premium bool, at timestamptz)
   WHERE y.person IS NOT NULL ORDER BY z.id, z.at DESC
  ON CONFLICT (bot_id, user_id) DO UPDATE
     SET first_name = excluded.first_name, last_name = excluded.last_name, username = excluded.username,
         language_code = excluded.language_code, is_premium = excluded.is_premium, last_seen = excluded.last_seen
   WHERE excluded.last_seen >= p.last_seen
)"""
# With the commit: whoever reads what the update sent may press what it has dropped, and is to find nothing.
_FORGOTTEN: Final = """, dropped AS (
  DELETE FROM keyboards WHERE bot_id = %(bot)s AND number IN (SELECT jsonb_array_elements_text(y.dropped) FROM y)
), cleared AS (
  DELETE FROM keyboards WHERE bot_id = %(bot)s AND created_at < (SELECT max(y.cleared) FROM y)
)"""
_PARTS: Final = {
    "sends": _SENDS, "lost": "", "columns": "", "crowded": "", "has_room": "", "written": "", "last": "",
    "person": "", "seen": "", "keyboards": "", "forgotten": "",
}  # fmt: skip
_JOBS: Final = {
    "columns": of_jobs.COLUMNS, "crowded": of_jobs.CROWDED.rstrip(), "has_room": of_jobs.HAS_ROOM,
    "written": of_jobs.WRITTEN.rstrip(), "last": of_jobs.AND_CROWDED,
}  # fmt: skip
_ENDS: Final = {"lost": _LOST}
_PEOPLE: Final = {"person": ", person jsonb", "seen": _SEEN}
_KEYBOARDS: Final = {"keyboards": ", dropped jsonb, cleared timestamptz", "forgotten": _FORGOTTEN}


# Most batches have nothing to do with jobs or keyboards, bring no news of people and end nothing, and their statements
# have nothing of it to plan and to begin.
LOAD: Final = Prepared(_LOAD, **_TYPES)
LOAD_FIRING: Final = Prepared(_LOAD + of_jobs.LOADED, **_TYPES)
COMMITS: Final = {
    has: Prepared(_COMMIT.format_map(reduce(or_, compress((_JOBS, _PEOPLE, _KEYBOARDS, _ENDS), has), _PARTS)), **_TYPES)
    for has in product((False, True), repeat=4)
}
"""How a batch is committed: by whether jobs stand in it, whether people, whether keyboards are forgotten, and whether
an update is dead or says that nobody hears the bot."""

# Sends of a run that is still going on; not if the update was resolved meanwhile, by somebody else.
WRITE_EARLY: Final = Prepared(
    f"""
WITH y AS MATERIALIZED (
  SELECT * FROM jsonb_to_recordset(%(batch)s) AS x(u bigint, at timestamptz, sends jsonb)
   WHERE EXISTS (SELECT 1 FROM bots WHERE id = %(bot)s AND removal_began IS NULL)
     AND NOT EXISTS (SELECT 1 FROM inbox i WHERE i.telegram_id = %(telegram_id)s AND i.update_id = x.u)
), {_SENDS}
SELECT n FROM o
""",  # noqa: S608 - joined from constants
    **_TYPES,
)
WRITTEN_EARLY: Final = Prepared(
    """
SELECT n, method, params::text, chat_key, lane FROM outbox
 WHERE telegram_id = %(telegram_id)s AND update_id = %(update)s
""",
    **_TYPES,
)
OPEN_BEFORE: Final = Prepared(
    """
SELECT count(*) FROM outbox WHERE telegram_id = %(telegram_id)s AND update_id = %(update)s AND chat_key = %(chat)s
   AND state IN ('queued', 'retry', 'sending')
""",
    **_TYPES,
)
