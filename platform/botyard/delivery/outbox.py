"""The outbox' statements: adopt, claim, record, and what is due when. See docs/delivery.md.

Order is strict within (chat, lane): only the oldest open row of each may be claimed; one that is found to wait for
another is put off (``due`` is infinity) until that ends, so that a claim reads what can be sent and not what waits. The
attempt number fences a row: whoever comes back late with a result of an earlier attempt changes nothing, except that
"sent" stays true.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

import orjson

from botyard.telegram.run import Lane
from db.engine import get_engine
from db.prepared import Prepared, Statements
from db.waiting import BY_ID, LET_NEXT, SWEPT, WAITING

_MAX_UNCERTAIN: Final = 3
_LOOKED_AT: Final = 64
"""So many due rows of a bot are looked at for one claim."""

_REPEATED = "repeat_policy = 'repeat' AND uncertain_count + 1 < %(max)s"

# A row that was being sent by somebody who is gone was perhaps sent.
_ADOPT = Prepared(
    f"""
WITH adopted AS (
  UPDATE outbox SET uncertain_count = uncertain_count + 1, due = now(), owner = NULL,
         state = CASE WHEN {_REPEATED} THEN 'queued' ELSE 'uncertain' END,
         resolved_at = CASE WHEN {_REPEATED} THEN NULL ELSE now() END
   WHERE bot_id = %(bot)s AND state = 'sending' AND owner <> %(owner)s RETURNING *
), ended AS (SELECT * FROM adopted WHERE state = 'uncertain'), {LET_NEXT}
SELECT set_config('app.adopted', count(*)::text, true) FROM adopted
""",
    bot="bigint",
    owner="text",
    max="int",
)

_BEHIND = """coalesce(
  (SELECT true FROM outbox e WHERE e.bot_id = h.bot_id AND e.chat_key = h.chat_key AND e.lane = h.lane AND e.id < h.id
      AND e.state IN ('queued', 'retry', 'sending') LIMIT 1),
  (SELECT a.state IN ('queued', 'retry', 'sending') FROM outbox a WHERE a.id = h.after_id), false)"""

_CLAIM = Prepared(
    f"""
WITH due AS MATERIALIZED (
  SELECT h.id, h.lane, h.due, {_BEHIND} AS behind FROM outbox h
   WHERE h.bot_id = %(bot)s AND h.state IN {WAITING} AND h.due <= now() AND h.lane <= %(lowest)s
   ORDER BY h.lane, h.due, h.id LIMIT {_LOOKED_AT}
), head AS MATERIALIZED (
  SELECT id FROM outbox d WHERE {BY_ID.format("d")} AND id = ANY(ARRAY(
    SELECT id FROM (
      SELECT *, row_number() OVER (PARTITION BY lane > {Lane.REPLY.value} ORDER BY lane, due, id) AS place
        FROM due WHERE NOT behind)
     WHERE lane <= {Lane.REPLY.value} OR place <= %(paced)s ORDER BY lane, place LIMIT %(limit)s))
  ORDER BY lane, due, id FOR UPDATE SKIP LOCKED
), put_off AS (
  -- A row that is locked may be let go just now, by the end of the row before it.
  UPDATE outbox SET due = 'infinity' WHERE id IN (
    SELECT id FROM outbox d WHERE {BY_ID.format("d")} AND id = ANY(ARRAY(SELECT id FROM due WHERE behind))
       FOR UPDATE SKIP LOCKED)
), claimed AS (
  UPDATE outbox o SET state = 'sending', attempt = attempt + 1, owner = %(owner)s, started_at = now()
    FROM head WHERE o.id = head.id
  RETURNING o.id, o.chat_key, o.telegram_id, o.lane, o.method, o.params::text, o.attempt, o.failures, o.uncertain_count,
            o.repeat_policy, o.deadline < now() AS late, o.caused_at,
            (SELECT c.unreachable_reason FROM chats c WHERE c.bot_id = o.bot_id AND c.chat_key = o.chat_key
              AND o.lane > 0 AND c.unreachable_since IS NOT NULL AND NOT o.params ? 'business_connection_id'),
            coalesce(o.waits, '{{}}')::text
)
SELECT nullif(adopted, '')::int, claimed.*
  FROM current_setting('app.adopted', true) AS adopted LEFT JOIN claimed ON true
""",
    bot="bigint",
    owner="text",
    limit="bigint",
    paced="bigint",
    lowest="int",
)

_RECORD: Final = """
WITH r AS MATERIALIZED (
  SELECT * FROM jsonb_to_recordset(%(batch)s) AS x(
    id bigint, attempt bigint, verdict text, message_id bigint, message_ids bigint[], due_in float8, error text,
    counted bool, uncertain bool, unreachable bool, fingerprint text, cause text)
), ok AS (
  UPDATE outbox o SET state = 'sent', message_id = r.message_id, message_ids = r.message_ids,
         resolved_at = now(), error = NULL FROM r
   WHERE o.id = r.id AND o.attempt = r.attempt AND r.verdict = 'sent' AND o.state IN ('sending', 'queued', 'uncertain')
  RETURNING o.*
){other}, ended AS (
  SELECT bot_id, chat_key, lane, id FROM ok{ended}
), {let_next}, m AS (
  INSERT INTO messages (bot_id, customer_id, chat_key, direction, kind, message_id, update_id, outbox_id, text)
  SELECT bot_id, customer_id, chat_key, 'out', method, one.id, update_id, ok.id,
         coalesce(params->>'text', params->>'caption', params->'media'->(one.place::int - 1)->>'caption')
    FROM ok, unnest(coalesce(message_ids, ARRAY[message_id])) WITH ORDINALITY AS one(id, place)
   WHERE one.id IS NOT NULL AND method LIKE 'send%%'
){told}
SELECT count(*) FROM ok
"""
_OTHER: Final = f""", other AS (
  UPDATE outbox o SET state = r.verdict, error = r.error, owner = NULL,
         due = now() + coalesce(r.due_in, 0) * interval '1 s',
         waits = CASE WHEN r.cause IS NULL OR r.due_in IS NULL THEN o.waits
                 ELSE coalesce(o.waits, '{{}}') || jsonb_build_object(
                   r.cause, round((coalesce((o.waits->>r.cause)::float8, 0) + r.due_in)::numeric, 3)) END,
         failures = failures + r.counted::int, uncertain_count = uncertain_count + r.uncertain::int,
         resolved_at = CASE WHEN r.verdict IN ('queued', 'retry') THEN NULL ELSE now() END FROM r
   WHERE o.id = r.id AND o.id = ANY(ARRAY(SELECT id FROM r WHERE verdict <> 'sent')) AND o.attempt = r.attempt
     AND r.verdict <> 'sent' AND coalesce(o.state, '') = 'sending'
  RETURNING o.*, r.unreachable, r.fingerprint
), lost AS (
  -- Unless it was heard since the call began that the chat can be reached: then the refusal is old news.
  INSERT INTO chats AS c (bot_id, customer_id, chat_key, unreachable_since, unreachable_reason)
  SELECT DISTINCT ON (chat_key) bot_id, customer_id, chat_key, now(), error FROM other WHERE unreachable
   ORDER BY chat_key
  ON CONFLICT (bot_id, chat_key) DO UPDATE
     SET unreachable_since = excluded.unreachable_since, unreachable_reason = excluded.unreachable_reason
   WHERE c.unreachable_since IS NULL AND coalesce(c.reachable_at, '-infinity') <= (
     SELECT min(started_at) FROM other WHERE other.chat_key = excluded.chat_key AND other.unreachable)
  RETURNING c.*
), {SWEPT}"""
_ENDED: Final = """ UNION ALL
  SELECT bot_id, chat_key, lane, id FROM other WHERE resolved_at IS NOT NULL
     AND (lane = 0 OR NOT EXISTS (SELECT 1 FROM lost WHERE lost.chat_key = other.chat_key))"""
_TOLD: Final = """, event AS (
  INSERT INTO events (customer_id, bot_id, type, entity, actor, data)
  SELECT customer_id, bot_id, 'chat.unreachable', 'chat:' || chat_key, 'telegram',
         jsonb_build_object('reason', unreachable_reason) FROM lost
), d AS (
  INSERT INTO dead_letters (bot_id, customer_id, what, telegram_id, update_id, outbox_id, chat_key, reason, detail,
                            request, attempts, fingerprint)
  SELECT bot_id, customer_id, 'send', telegram_id, update_id, id, chat_key, error, error,
         json_build_object('method', method, 'params', params), attempt, fingerprint FROM other WHERE state = 'dead'
)"""
_RECORD_SENT = Prepared(_RECORD.format(other="", ended="", told="", let_next=LET_NEXT), batch="jsonb")
"""Nearly always all that was called was sent: then there is nothing else to plan, and to begin."""
_RECORD_ANY = Prepared(_RECORD.format(other=_OTHER, ended=_ENDED, told=_TOLD, let_next=LET_NEXT), batch="jsonb")

_NEXT_DUE = Prepared(
    f"""
SELECT extract(epoch FROM min(due) - clock_timestamp())::float8 FROM (
  SELECT (SELECT h.due FROM outbox h WHERE h.bot_id = %(bot)s AND h.state IN {WAITING} AND h.lane = l.lane
           ORDER BY h.due LIMIT 1) AS due FROM generate_series(0, %(lowest)s) AS l(lane)) AS first
 WHERE due < 'infinity'
""",
    bot="bigint",
    lowest="int",
)

# The oldest of those that were put off waits for a row that is open, or nobody would ever look at it again.
_FORGOTTEN = f"""
UPDATE outbox o SET due = now() WHERE {BY_ID.format("o")} AND id = ANY(ARRAY(
  SELECT h.id FROM (
    SELECT DISTINCT ON (bot_id, chat_key, lane) * FROM outbox WHERE due = 'infinity' AND state IN {WAITING}
     ORDER BY bot_id, chat_key, lane, id) AS h
   WHERE NOT {_BEHIND}))
RETURNING id
"""

_ASLEEP = f"""
SELECT o.bot_id FROM (
  SELECT bot_id FROM outbox WHERE state IN {WAITING} AND due < 'infinity' AND due <= now()
  UNION
  SELECT bot_id FROM outbox WHERE state = 'sending' AND started_at < now() - interval '60 s') AS o
  JOIN bots b ON b.id = o.bot_id AND b.status NOT IN ('error', 'inactive')
"""


Verdict = Literal["sent", "retry", "queued", "dead", "expired", "uncertain", "dropped"]


@dataclass(frozen=True, slots=True)
class Row:
    """A claimed row: ours to send, once."""

    id: int
    chat: str
    telegram_id: int | None
    lane: Lane
    method: str
    params: dict[str, Any]
    attempt: int
    failures: int
    uncertain_count: int
    repeat_policy: str
    late: bool
    caused_at: datetime | None
    unreachable: str | None
    """Why the chat cannot be reached, if that is known."""
    waited: dict[str, float] = field(default_factory=dict)
    """For what it has waited so far, and for how many seconds."""

    @property
    def may_repeat(self) -> bool:
        """Whether a send whose outcome is unknown is to be repeated."""
        return self.repeat_policy == "repeat" and self.uncertain_count + 1 < _MAX_UNCERTAIN


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one attempt."""

    id: int
    attempt: int
    verdict: Verdict
    message_id: int | None = None
    message_ids: Sequence[int | None] | None = None
    """Of an album, in its order."""
    due_in: float | None = None
    """Seconds until it may be claimed again."""
    error: str | None = None
    counted: bool = False
    uncertain: bool = False
    chat_id: int | None = None
    """The chat of the sent message, by Telegram's own id."""
    flood_seconds: float | None = None
    """For how long Telegram closed the chat (429)."""
    unreachable: bool = False
    """The chat cannot be reached: what else waits for it is dropped with it."""
    moved_to: str | None = None
    """The group became this supergroup."""
    token_refused: bool = False
    """The token was revoked: the bot is to be stopped."""
    cause: Literal["permit", "flood", "trouble", "token"] | None = None
    """What it waits for until it is claimed again."""
    fingerprint: str | None = None
    """The same for dead letters of one cause."""


class Outbox:
    """One bot's outbox, for one holder of its lease.

    Args:
        statements: of the database.
        bot_id: the bot's row.
        customer_id: its customer.
        owner: the holder's token.
    """

    def __init__(self, statements: Statements, bot_id: int, customer_id: int, owner: str) -> None:
        self._statements = statements
        self._parameters = {"tenant": str(customer_id), "bot": bot_id, "owner": owner, "max": _MAX_UNCERTAIN}
        self.adopted: int | None = None
        """How many rows a lost holder was sending, which were taken over; none: nobody has looked yet."""

    async def record_and_claim(self, results: Sequence[Result], limit: int, paced: int = _LOOKED_AT) -> list[Row]:
        """Write what became of earlier rows and claim the next, in one round trip and one commit.

        The first time, take over before that what a lost holder was sending.

        Args:
            results: of rows claimed earlier.
            limit: how many rows to claim at most.
            paced: how many of them may be of the lanes that share the rate of the bot.
        """
        parameters = {**self._parameters, "limit": limit, "paced": paced, "lowest": _lowest(paced)}
        record: tuple[Prepared, ...] = ()
        if results:
            parameters["batch"] = orjson.dumps(list(results)).decode()
            sent = all(result.verdict == "sent" for result in results)
            record = (_RECORD_SENT if sent else _RECORD_ANY,)
        first = (_ADOPT,) if self.adopted is None else ()
        found = await self._statements.execute(parameters, *first, *record, _CLAIM)
        if first:
            self.adopted = found[0][0]
        return [_row(*claimed) for _, *claimed in found if claimed[0] is not None]

    async def next_due(self, *, paced: bool = True) -> float | None:
        """Seconds until a row is to be looked at, of all lanes or of those that share no rate; none: nothing waits."""
        ((seconds,),) = await self._statements.execute({**self._parameters, "lowest": _lowest(paced)}, _NEXT_DUE)
        return None if seconds is None else max(0.0, seconds)


def bots_with_due_rows() -> list[int]:
    """The bots whose sender ought to have a place in ``by:send``: the net under lost wake-ups."""
    with get_engine("system").connect() as connection:
        return list(connection.exec_driver_sql(_ASLEEP).scalars())


def revive_forgotten() -> int:
    """The net under rows that were put off and not let go when what they waited for ended; how many there were."""
    with get_engine("system").begin() as connection:
        return len(connection.exec_driver_sql(_FORGOTTEN).all())


def _lowest(paced: int) -> int:
    return Lane.BULK if paced else Lane.REPLY


def _row(
    row_id: int, chat: str, telegram_id: int | None, lane: int, method: str, params: str, attempt: int,
    failures: int, uncertain_count: int, repeat_policy: str, late: bool | None, caused_at: datetime | None,
    unreachable: str | None, waited: str,
) -> Row:  # fmt: skip
    return Row(
        row_id, chat, telegram_id, Lane(lane), method, orjson.loads(params), attempt, failures, uncertain_count,
        repeat_policy, bool(late), caused_at, unreachable, orjson.loads(waited),
    )  # fmt: skip
