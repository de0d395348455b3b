"""A worker claims an operation, runs a slice of it, and writes what came of it; the sweep finds those that wait.

One that was abandoned (its claim has passed) is claimed again. What kills its worker three times without having got any
further is given up, and so is what is not over after a day.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from psycopg2.extras import Json
from redis.exceptions import RedisError
from sqlalchemy import text

from botyard.errors import PermanentError, TransientError
from botyard.operations.beginning import PRIVATE, without_private
from botyard.operations.telling import tell
from botyard.operations.work import CLAIM_SECONDS, Cancelled, Claimed, Lost, PutOff, Runner, Work
from botyard.telemetry.redaction import redact
from db.acting import acting_as
from db.engine import DATABASE_TROUBLE, get_engine

log = structlog.get_logger(__name__)

KEPT_DAYS: Final = 30
_MOST_TRIES: Final = 3
_LATER_SECONDS: Final = 30.0
_BATCH: Final = 100
_BUG: Final = "That is a bug of ours; it was noted."
_DIED: Final = "Its worker died, or was killed, three times at the same place."
_TOO_LONG: Final = "It was not over after a day."
_TOO_LARGE: Final = "It takes longer than a worker has for it."

_CLAIM: Final = text(f"""
UPDATE operations SET state = 'running', tries = tries + 1, version = version + 1,
       started_at = coalesce(started_at, clock_timestamp()),
       runs_until = clock_timestamp() + make_interval(secs => {CLAIM_SECONDS})
 WHERE id = :id AND (state = 'queued' OR state = 'running' AND runs_until < clock_timestamp())
RETURNING id, kind, customer_id, bot_id, actor, request, done, total, coalesce(result, '{{}}'), runs_until, version,
          cancel_asked_at IS NOT NULL AS cancelled, tries,
          clock_timestamp() - started_at > interval '1 day' AS late
""")  # noqa: S608 - our own number
_END: Final = text(f"""
UPDATE operations SET state = :state, result = coalesce(CAST(:result AS jsonb), result) - '{PRIVATE}',
       error = :error, request = request - '{PRIVATE}', runs_until = NULL, finished_at = clock_timestamp(),
       version = version + 1
 WHERE id = :id AND state = 'running' AND runs_until = :until
RETURNING version
""")  # noqa: S608 - our own word
_LATER: Final = text("""
UPDATE operations SET state = :state, tries = CASE WHEN :counts THEN tries ELSE 0 END, version = version + 1,
       runs_until = clock_timestamp() + make_interval(secs => :seconds)
 WHERE id = :id AND state = 'running' AND runs_until = :until
RETURNING version
""")
_WAITING: Final = text(f"""
SELECT id FROM operations
 WHERE state = 'queued' AND coalesce(runs_until, created_at) < clock_timestamp() - interval '30 s'
    OR state = 'running' AND runs_until < clock_timestamp() ORDER BY id LIMIT {_BATCH}
""")  # noqa: S608 - our own number
_FORGET: Final = text(f"""
DELETE FROM operations WHERE id IN (
  SELECT id FROM operations WHERE finished_at < now() - interval '{KEPT_DAYS} days' LIMIT 1000)
""")  # noqa: S608 - our own number

Ended = Literal["done", "failed", "cancelled"]


def run(number: int, runners: Mapping[str, Runner]) -> bool:
    """Run a slice of an operation, if it waits for a worker.

    Args:
        number: which one.
        runners: by kind.

    Returns:
        Whether it is to go on in another slice at once.
    """
    claimed = _claim(number, runners)
    if claimed is None:
        return False
    runner = runners[claimed.kind]
    work = Work(claimed, whole=runner.whole)
    work.keep_alive()
    log.info("operation_runs", operation=number, kind=claimed.kind, done=claimed.done)
    try:
        with acting_as(claimed.actor):
            return _slice(work, runner)
    finally:
        work.let_go()


def waiting() -> list[int]:
    """Operations that no worker has although they are to be run: their message was lost, or their worker."""
    with get_engine("system").connect() as connection:
        return list(connection.execute(_WAITING).scalars())


def forget_old() -> int:
    """Forget operations that ended long ago; how many that were."""
    with get_engine("system").begin() as connection:
        return connection.execute(_FORGET).rowcount


def _claim(number: int, runners: Mapping[str, Runner]) -> Claimed | None:
    with get_engine("system").begin() as connection:
        row = connection.execute(_CLAIM, {"id": number}).first()
    if row is None:
        return None
    claimed = Claimed(*row[:10])
    tell(number, row.version, claimed.customer_id)
    if row.cancelled:
        _end(claimed, "cancelled")
    elif claimed.kind not in runners:
        _end(claimed, "failed", error=f"Nobody here knows what {claimed.kind} is.")
    elif row.tries > _MOST_TRIES:
        _end(claimed, "failed", error=_DIED)
    elif row.late:
        _end(claimed, "failed", error=_TOO_LONG)
    else:
        return claimed
    return None


def _slice(work: Work, runner: Runner) -> bool:
    try:
        result = runner.run(work)
    except PutOff:
        return _later(work, "queued", 0)
    except SoftTimeLimitExceeded:
        if not runner.whole:
            # Whoever is stopped here again and again, without getting any further, never will.
            return _later(work, "queued", 0, counts=True)
        _end(work, "failed", error=_TOO_LARGE)
    except Lost:
        log.warning("operation_lost", operation=work.id)
    except (TransientError, RedisError, *DATABASE_TROUBLE) as error:
        log.warning("operation_put_off", operation=work.id, error=type(error).__name__)
        # The claim passes by itself if that cannot be written either.
        _later(work, "running", getattr(error, "retry_after", None) or _LATER_SECONDS)
    except Exception as error:  # noqa: BLE001 - the edge of the process: what a runner has not foreseen ends it alone
        _give_up(work, error)
    else:
        _end(work, "done", result=result)
    return False


def _give_up(work: Work, error: Exception) -> None:
    if isinstance(error, Cancelled):
        _end(work, "cancelled")
    elif isinstance(error, PermanentError):
        _end(work, "failed", error=redact(str(error)))
    else:
        log.error("operation_failed", operation=work.id, exc_info=error)
        _end(work, "failed", error=_BUG)


def _later(work: Work, state: str, seconds: float, *, counts: bool = False) -> bool:
    """Give the claim back; whether it was ours to give. One that waits for something is left to the sweep.

    Args:
        work: of which operation.
        state: in which one it waits.
        seconds: for how long.
        counts: whether this was one of its tries.
    """
    work.let_go()
    values = {"id": work.id, "state": state, "seconds": seconds, "counts": counts, "until": work.until}
    with get_engine("system").begin() as connection:
        version = connection.execute(_LATER, values).scalar()
    if version is None:
        return False
    tell(work.id, version, work.customer_id)
    return True


def _end(work: Work | Claimed, state: Ended, *, result: dict[str, Any] | None = None, error: str | None = None) -> None:
    if isinstance(work, Work):
        work.let_go()
        if result is None:
            result = without_private(work.report) or None
    values = {
        "id": work.id, "state": state, "result": None if result is None else Json(result), "error": error,
        "until": work.until,
    }  # fmt: skip
    with get_engine("system").begin() as connection:
        version = connection.execute(_END, values).scalar()
    if version is None:
        log.warning("operation_lost", operation=work.id)
        return
    log.info("operation_ended", operation=work.id, state=state)
    tell(work.id, version, work.customer_id)
