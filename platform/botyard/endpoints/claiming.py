"""Which messages are sent now: claimed by one worker each, and recorded when its attempt is over.

A claim is a lease: whoever dies with it leaves the message to be sent again, under the same id. Claims are made one
after the other, so the bounds for an endpoint and for a customer hold over all workers together.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import text

from botyard.events import EndpointDisabled, record_of_customer
from db.engine import get_engine, get_sessions
from db.models import Endpoint

SCHEDULE: Final = (0, 5, 300, 1800, 7200, 18_000, 36_000, 36_000)
"""Seconds before each attempt, since the one before it."""
LEASE_SECONDS: Final = 40
"""Longer than an attempt and its record take."""
OF_ENDPOINT: Final = 2
OF_CUSTOMER: Final = 10
"""So many attempts are under way at once."""
_FAILS_FOR: Final = timedelta(days=5)
_JITTER: Final = 0.1
_LONGEST_WAIT: Final = 36_000.0
_ONE_AFTER_THE_OTHER: Final = 7_310_447_201
"""The advisory lock of claims: any number that nothing else locks."""

_CLAIM: Final = """
WITH flying AS MATERIALIZED (
  SELECT endpoint_id, customer_id FROM endpoint_messages WHERE sending_until > now()
), ready AS (
  SELECT m.id, m.due, e.id AS endpoint_id, e.customer_id FROM endpoints e
    JOIN customers c ON c.id = e.customer_id AND c.status = 'active' AND c.removal_began IS NULL
   CROSS JOIN LATERAL (
         SELECT id, due FROM endpoint_messages
          WHERE endpoint_id = e.id AND state = 'waiting' AND due <= now()
          ORDER BY due, id LIMIT :of_endpoint FOR NO KEY UPDATE SKIP LOCKED) m
   WHERE e.status = 'active'
), fit AS (
  SELECT * FROM (
    SELECT ready.*, row_number() OVER (PARTITION BY endpoint_id ORDER BY due, id)
             + (SELECT count(*) FROM flying f WHERE f.endpoint_id = ready.endpoint_id) AS place FROM ready) placed
   WHERE place <= :of_endpoint
), placed AS (
  SELECT id, due, row_number() OVER (PARTITION BY customer_id ORDER BY due, id)
           + (SELECT count(*) FROM flying f WHERE f.customer_id = fit.customer_id) AS place FROM fit
), taken AS (
  UPDATE endpoint_messages m
     SET attempts = attempts + 1, due = now() + :lease * interval '1 s', sending_until = now() + :lease * interval '1 s'
    FROM (SELECT id FROM placed WHERE place <= :of_customer ORDER BY due, id LIMIT :room) t
   WHERE m.id = t.id AND m.state = 'waiting'
  RETURNING m.id, m.endpoint_id, m.attempts, m.body
)
SELECT t.id, t.endpoint_id, t.attempts, t.body, e.url,
       array(SELECT s.sealed FROM endpoint_secrets s
              WHERE s.endpoint_id = e.id AND (s.expires_at IS NULL OR s.expires_at > now()) ORDER BY s.name) AS sealed
  FROM taken t JOIN endpoints e ON e.id = t.endpoint_id
"""
_ANY_DUE: Final = """
SELECT EXISTS (SELECT 1 FROM endpoints e
                 JOIN customers c ON c.id = e.customer_id AND c.status = 'active' AND c.removal_began IS NULL
                WHERE e.status = 'active' AND EXISTS (
                      SELECT 1 FROM endpoint_messages m
                       WHERE m.endpoint_id = e.id AND m.state = 'waiting' AND m.due <= now()))
"""
# What was delivered stays so, whoever else was at it; a failure counts for the attempt that it was.
_RECORD: Final = """
WITH m AS (
  UPDATE endpoint_messages SET state = :state, due = coalesce(:due, due), sending_until = NULL,
         ended_at = CASE WHEN :state <> 'waiting' THEN now() END
   WHERE id = :message AND state = 'waiting' AND (attempts = :attempt OR :state = 'delivered')
)
INSERT INTO endpoint_attempts (message_id, customer_id, at, milliseconds, status, error, answer)
SELECT id, customer_id, :at, :milliseconds, :status, :error, :answer FROM endpoint_messages WHERE id = :message
"""
_WELL: Final = "UPDATE endpoints SET failing_since = NULL WHERE id = :id AND failing_since IS NOT NULL"
_FAILING: Final = """
UPDATE endpoints SET failing_since = coalesce(failing_since, now()) WHERE id = :id AND status = 'active'
RETURNING failing_since
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message to be sent now.

    Args:
        id: its number.
        endpoint_id: where to.
        attempt: which one this is; the first is 1.
        body: what is sent.
        url: where to.
        sealed: the secrets that sign it, the newest first.
    """

    id: int
    endpoint_id: int
    attempt: int
    body: str
    url: str
    sealed: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an attempt.

    Args:
        at: when it began.
        milliseconds: how long it took.
        status: the HTTP status; none: there was no answer.
        error: why it does not count as delivered; none: it was delivered.
        answer: the beginning of what was answered.
        retry_after: for so many seconds no other attempt is wanted.
        gone: nothing is wanted there any more.
        ours: it is not the endpoint's fault.
    """

    at: datetime
    milliseconds: int
    status: int | None = None
    error: str | None = None
    answer: str | None = None
    retry_after: float | None = None
    gone: bool = False
    ours: bool = False


def claim(room: int) -> Sequence[Claimed]:
    """Take messages that are due, and count the attempts that are to be made of them.

    Args:
        room: how many at most.
    """
    bounds = {"of_endpoint": OF_ENDPOINT, "of_customer": OF_CUSTOMER, "room": room, "lease": LEASE_SECONDS}
    with get_engine("system").begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ONE_AFTER_THE_OTHER})
        rows = connection.execute(text(_CLAIM), bounds).all()
    return [
        Claimed(row.id, row.endpoint_id, row.attempts, row.body, row.url, tuple(map(bytes, row.sealed))) for row in rows
    ]


def any_due() -> bool:
    """Whether something is to be sent now."""
    with get_engine("system").connect() as connection:
        return bool(connection.execute(text(_ANY_DUE)).scalar())


def conclude(claimed: Claimed, outcome: Outcome) -> None:
    """Write down what became of an attempt, and what follows from it for the message and for its endpoint."""
    state, due = _follows(claimed, outcome)
    row = {
        "message": claimed.id, "attempt": claimed.attempt, "state": state, "due": due, "at": outcome.at,
        "milliseconds": outcome.milliseconds, "status": outcome.status, "error": outcome.error,
        "answer": outcome.answer,
    }  # fmt: skip
    with get_engine("system").begin() as connection:
        connection.execute(text(_RECORD), row)
    # Apart from the message: whoever switches the endpoint off locks both the other way round.
    if outcome.error is None:
        with get_engine("system").begin() as connection:
            connection.execute(text(_WELL), {"id": claimed.endpoint_id})
    elif outcome.gone:
        _disable(claimed.endpoint_id, "it answered 410: nothing is wanted there any more")
    elif not outcome.ours:
        _note_failure(claimed.endpoint_id)


def _follows(claimed: Claimed, outcome: Outcome) -> tuple[str, datetime | None]:
    if outcome.error is None:
        return "delivered", None
    if outcome.gone or claimed.attempt >= len(SCHEDULE):
        return "failed", None
    seconds = SCHEDULE[claimed.attempt] * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - no secret
    seconds = max(seconds, min(outcome.retry_after or 0.0, _LONGEST_WAIT))
    return "waiting", datetime.now(UTC) + timedelta(seconds=seconds)


def _note_failure(endpoint_id: int) -> None:
    with get_engine("system").begin() as connection:
        since = connection.execute(text(_FAILING), {"id": endpoint_id}).scalar()
    if since is not None and datetime.now(UTC) - since > _FAILS_FOR:
        _disable(endpoint_id, "nothing that was sent there was accepted for five days")


def _disable(endpoint_id: int, reason: str) -> None:
    """Switch an endpoint off, and tell its customer."""
    with get_sessions("system").begin() as session:
        endpoint = session.get(Endpoint, endpoint_id, with_for_update={"key_share": True}, populate_existing=True)
        if endpoint is None or endpoint.status != "active":
            return
        endpoint.status, endpoint.status_reason, endpoint.version = "disabled", reason, endpoint.version + 1
        told = EndpointDisabled(endpoint=f"end_{endpoint_id}", reason=reason)
        record_of_customer(session, endpoint.customer_id, f"endpoint:{endpoint_id}", told)
