"""The two statements of processing: load what a run needs, and write what it did. See docs/processing.md.

A batch is one statement and one commit, and yet its rows stand or fall one by one: each update has its own fence (the
versions of the memory it loaded) and its own unique key (the inbox).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import orjson
import psycopg2

from botyard.bots.registry import ServedBot
from db.engine import one_statement

MemoryKey = tuple[str, str]
"""(scope, key) of a conversations row: ``("chat", "42")``, ``("user", "7")``, ``("bot", "")``."""

_LOAD = """
SELECT set_config('app.tenant', %(tenant)s, true);
WITH w AS (SELECT * FROM unnest(%(scopes)s::text[], %(keys)s::text[]) AS w(scope, key))
SELECT 'i' AS what, update_id::text AS scope, NULL AS key, NULL::text AS state, 0 AS version FROM inbox
 WHERE telegram_id = %(telegram_id)s AND update_id = ANY(%(updates)s)
UNION ALL
SELECT 'm', 'chat', h.chat_key, h.moved_to, 0 FROM chats h
 WHERE h.bot_id = %(bot)s AND h.chat_key = ANY(%(chats)s) AND h.moved_to IS NOT NULL
UNION ALL
SELECT 'c', c.scope, c.key, c.state::text, c.version FROM conversations c JOIN w USING (scope, key)
 WHERE c.bot_id = %(bot)s
"""

_COMMIT = """
SELECT set_config('app.tenant', %(tenant)s, true);
WITH r AS MATERIALIZED (
  SELECT * FROM jsonb_to_recordset(%(batch)s::jsonb) AS x(
    u bigint, k text, kind text, body text, at timestamptz, dead jsonb, guards jsonb, sends jsonb, messages jsonb,
    reach bool, started timestamptz, attempt bigint)
), g AS MATERIALIZED (
  SELECT r.u, z.* FROM r, jsonb_to_recordset(r.guards) AS z(scope text, key text, version bigint, state jsonb)
), v AS MATERIALIZED (
  SELECT c.scope, c.key, c.version FROM conversations c
   WHERE c.bot_id = %(bot)s AND (c.scope, c.key) IN (SELECT scope, key FROM g)
   ORDER BY c.scope, c.key FOR UPDATE
), b AS MATERIALIZED (
  -- Without a bot, or while it is being removed: nothing of it may come back.
  SELECT 1 FROM bots WHERE id = %(bot)s AND status <> 'inactive'
), x AS MATERIALIZED (
  SELECT r.* FROM r WHERE EXISTS (SELECT 1 FROM b) AND NOT EXISTS (
    SELECT 1 FROM g LEFT JOIN v USING (scope, key) WHERE g.u = r.u AND coalesce(v.version, 0) <> g.version)
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
  SELECT %(bot)s, g.scope, g.key, %(customer)s, g.state, 1 FROM g JOIN y USING (u)
   WHERE g.state IS NOT NULL AND g.version = 0 ORDER BY g.scope, g.key
), changed AS (
  UPDATE conversations c SET state = g.state, version = c.version + 1, updated_at = now() FROM g JOIN y USING (u)
   WHERE c.bot_id = %(bot)s AND c.scope = g.scope AND c.key = g.key AND g.state IS NOT NULL AND g.version > 0
), n AS MATERIALIZED (
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
), m AS (
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
), lost AS (
  INSERT INTO chats AS c (bot_id, customer_id, chat_key, unreachable_since, unreachable_reason)
  SELECT %(bot)s, %(customer)s, y.k, now(), 'the bot was blocked or sent away there' FROM y WHERE NOT y.reach
   ORDER BY y.k
  ON CONFLICT (bot_id, chat_key) DO UPDATE
     SET unreachable_since = excluded.unreachable_since, unreachable_reason = excluded.unreachable_reason
  RETURNING c.*
), swept AS (
  UPDATE outbox w SET state = 'dropped', error = lost.unreachable_reason, resolved_at = now() FROM lost
   WHERE w.bot_id = %(bot)s AND w.chat_key = lost.chat_key AND w.lane > 0 AND w.state IN ('queued', 'retry')
), d AS (
  INSERT INTO dead_letters (bot_id, customer_id, what, telegram_id, update_id, chat_key, reason, detail, request,
                            attempts, fingerprint)
  SELECT %(bot)s, %(customer)s, 'update', %(telegram_id)s, y.u, y.k, y.dead->>'reason', y.dead->>'detail',
         y.body::json, (y.dead->>'attempts')::bigint, y.dead->>'fingerprint' FROM y WHERE y.dead IS NOT NULL
), e AS (
  INSERT INTO events (customer_id, bot_id, type, entity, actor, data)
  SELECT %(customer)s, %(bot)s, CASE WHEN y.dead IS NULL THEN 'update.processed' ELSE 'update.dead' END,
         'update:' || y.u, 'bot', jsonb_build_object('chat', y.k, 'kind', y.kind) FROM y
)
-- No row at all: there is no such bot.
SELECT x.u, i.update_id IS NOT NULL FROM b LEFT JOIN x ON true LEFT JOIN i ON i.update_id = x.u
"""


class Verdict(Enum):
    """What the database decided about one update."""

    WRITTEN = "written"
    KNOWN = "known"
    """Resolved before, by somebody else: nothing was changed."""
    STALE = "stale"
    """Somebody else wrote the memory it had loaded: nothing was changed, load again."""
    REFUSED = "refused"
    """Its own rows cannot be stored: nothing was changed, and trying again cannot help."""
    GONE = "gone"
    """Its bot was removed, or is being removed: nothing was changed."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An update whose memory is to be loaded."""

    update_id: int
    keys: tuple[MemoryKey, ...]


@dataclass(slots=True)
class Loaded:
    """What the database knows of an update."""

    resolved: bool = False
    states: dict[MemoryKey, tuple[bytes, int]] = field(default_factory=dict)
    """Stored memory as JSON, and its version; a key that is missing was never written."""
    moved_to: str | None = None
    """Its chat is another one now, under whose key the memory stands: load that."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """What is to be written for one update."""

    update_id: int
    memory: frozenset[MemoryKey]
    """Rows it guards or writes: two of a batch must not share one."""
    row: bytes
    """Its part of the batch, as JSON."""


@dataclass(frozen=True, slots=True)
class Decided:
    """A verdict, with the reason when the rows were refused."""

    verdict: Verdict
    reason: str = ""


def load(bot: ServedBot, telegram_id: int, wanted: Sequence[Wanted]) -> list[Loaded]:
    """Load the memory of several updates in one round trip, from the primary."""
    keys = sorted({key for one in wanted for key in one.keys})
    parameters = {
        "tenant": str(bot.customer_id),
        "bot": bot.id,
        "telegram_id": telegram_id,
        "updates": [one.update_id for one in wanted],
        "chats": [key for scope, key in keys if scope == "chat"],
        "scopes": [scope for scope, _ in keys],
        "keys": [key for _, key in keys],
    }
    resolved: set[int] = set()
    moved: dict[MemoryKey, str] = {}
    states: dict[MemoryKey, tuple[bytes, int]] = {}
    for what, scope, key, state, version in _execute(_LOAD, parameters):
        if what == "i":
            resolved.add(int(scope))
        elif what == "m":
            moved[scope, key] = state
        else:
            states[scope, key] = (state.encode(), version)
    return [
        Loaded(
            one.update_id in resolved,
            {key: states[key] for key in one.keys if key in states},
            next((moved[key] for key in one.keys if key in moved), None),
        )
        for one in wanted
    ]


def commit(bot: ServedBot, telegram_id: int, batch: Sequence[Resolution]) -> list[Decided]:
    """Write what several updates did.

    Two updates of a batch never share a memory row: within one statement both would see its old version.
    """
    decided: dict[int, Decided] = {}
    for part in _without_shared_memory(batch):
        _write(bot, telegram_id, part, decided)
    return [decided[resolution.update_id] for resolution in batch]


def _without_shared_memory(batch: Sequence[Resolution]) -> list[list[Resolution]]:
    parts: list[tuple[set[MemoryKey], list[Resolution]]] = []
    for resolution in sorted(batch, key=lambda one: one.update_id):
        for taken, part in parts:
            if taken.isdisjoint(resolution.memory):
                taken.update(resolution.memory)
                part.append(resolution)
                break
        else:
            parts.append((set(resolution.memory), [resolution]))
    return [part for _, part in parts]


def _write(bot: ServedBot, telegram_id: int, part: Sequence[Resolution], decided: dict[int, Decided]) -> None:
    parameters = {
        "tenant": str(bot.customer_id),
        "customer": bot.customer_id,
        "bot": bot.id,
        "telegram_id": telegram_id,
        "repeat": "repeat" if bot.repeats else "leave",
        "batch": (b"[" + b",".join(resolution.row for resolution in part) + b"]").decode(),
    }
    try:
        found = {update_id: written for update_id, written in _execute(_COMMIT, parameters)}  # noqa: C416
    except (psycopg2.IntegrityError, psycopg2.DataError) as error:
        _split(bot, telegram_id, part, decided, error)
        return
    unwritten = Verdict.STALE if found else Verdict.GONE
    for resolution in part:
        written = found.get(resolution.update_id)
        verdict = unwritten if written is None else Verdict.WRITTEN if written else Verdict.KNOWN
        decided[resolution.update_id] = Decided(verdict)


def _split(
    bot: ServedBot,
    telegram_id: int,
    part: Sequence[Resolution],
    decided: dict[int, Decided],
    error: psycopg2.Error,
) -> None:
    """One bad row fails a whole statement: halve it down to the culprit, and write the others."""
    if len(part) > 1:
        middle = len(part) // 2
        _write(bot, telegram_id, part[:middle], decided)
        _write(bot, telegram_id, part[middle:], decided)
        return
    diagnostics = error.diag
    stale = diagnostics.constraint_name == "pk_conversations"
    reason = diagnostics.message_primary or type(error).__name__
    decided[part[0].update_id] = Decided(Verdict.STALE if stale else Verdict.REFUSED, reason)


def _execute(statement: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Run a statement as its own transaction in one round trip.

    A connection that breaks leaves open whether the statement was committed. It is tried once more, on a fresh one:
    the inbox' key tells what happened.
    """
    for last in (False, True):
        try:
            with one_statement() as cursor:
                cursor.execute(statement, parameters)
                return cursor.fetchall()
        except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
            if last or error.pgcode is not None:
                raise
    raise AssertionError


def encode_row(row: dict[str, Any]) -> bytes:
    """One update's part of a batch.

    Raises:
        TypeError: a text holds a lone surrogate, or a number does not fit: it cannot be JSON.
    """
    return orjson.dumps(row)
