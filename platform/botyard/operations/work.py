"""What a worker does for an operation: one slice of it, under a claim that it keeps while it is alive."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import structlog
from psycopg2.extras import Json
from sqlalchemy import text

from botyard.errors import BotyardError
from botyard.operations.telling import tell
from db.engine import DATABASE_TROUBLE, get_engine

log = structlog.get_logger(__name__)

CLAIM_SECONDS: Final = 60
_RENEW_SECONDS: Final = 15.0
SLICE_SECONDS: Final = 45.0
"""After that the rest goes on behind what waits meanwhile: the queue is everybody's."""
_TELL_SECONDS: Final = 1.0

_ADVANCE: Final = text("""
UPDATE operations SET done = greatest(done, :done), total = coalesce(:total, total),
       result = coalesce(CAST(:report AS jsonb), result), tries = CASE WHEN :done > done THEN 1 ELSE tries END,
       version = version + 1, runs_until = clock_timestamp() + make_interval(secs => :claim)
 WHERE id = :id AND state = 'running' AND runs_until = :until
RETURNING runs_until, version, cancel_asked_at IS NOT NULL
""")
_RENEW: Final = text("""
UPDATE operations SET runs_until = clock_timestamp() + make_interval(secs => :claim)
 WHERE id = :id AND state = 'running' AND runs_until = :until
RETURNING runs_until
""")


class Interrupted(BotyardError):
    """An operation stops here for now, or for good; a runner lets it through, and cleans up on the way."""


class Cancelled(Interrupted):
    """Somebody wants it to end."""


class PutOff(Interrupted):
    """Its slice is over: the rest goes on in another one, from what `Work.done` says."""


class Lost(Interrupted):
    """It is another worker's now: this one was silent for too long."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """The row of an operation, as its worker has claimed it."""

    id: int
    kind: str
    customer_id: int | None
    bot_id: int | None
    actor: str
    request: dict[str, Any]
    done: int
    total: int | None
    report: dict[str, Any]
    until: datetime


class Work:
    """One operation in the hands of its runner.

    A runner may be stopped at any moment, and started again: what it does twice must do no harm, and `done` says where
    to go on.

    Args:
        claimed: its row.
        whole: whether it cannot be put off.

    Attributes:
        id: its number.
        actor: who wants it.
        request: what is wanted.
        customer_id: whose it is.
        bot_id: of which bot.
        done: how much of it is done, in the runner's own units.
        total: how much there is to do, if that is known.
        report: what is to be told of it so far, as JSON; kept by `advance`, and there again after an interruption.
            What stands under ``private`` is told to nobody, and dropped at the end.
    """

    def __init__(self, claimed: Claimed, *, whole: bool = False) -> None:
        self.id, self.actor = claimed.id, claimed.actor
        self.customer_id, self.bot_id = claimed.customer_id, claimed.bot_id
        self.request, self.report = claimed.request, dict(claimed.report)
        self.done, self.total = claimed.done, claimed.total
        self._until = claimed.until
        self._ends = float("inf") if whole else time.monotonic() + SLICE_SECONDS
        self._told_at = 0.0
        self._lock = threading.Lock()
        self._over = threading.Event()

    @property
    def until(self) -> datetime:
        """What tells this claim from a later one; a renewal that is under way is waited for."""
        with self._lock:
            return self._until

    def advance(self, done: int, total: int | None = None) -> None:
        """Say how much is done, and keep `report`: after a crash the operation goes on from here.

        Call it where what was done so far is committed; it costs a statement.

        Raises:
            Cancelled: somebody wants it to end.
            PutOff: its slice is over; it goes on from here in another one.
            Lost: another worker has it.
        """
        values = {
            "id": self.id, "done": done, "total": total, "report": Json(self.report) if self.report else None,
            "claim": CLAIM_SECONDS,
        }  # fmt: skip
        with self._lock:
            with get_engine("system").begin() as connection:
                found = connection.execute(_ADVANCE, {**values, "until": self._until}).first()
            if found is None:
                raise Lost(self.id)
            self._until, version, cancelled = found
        self.done, self.total = done, self.total if total is None else total
        if time.monotonic() - self._told_at > _TELL_SECONDS:
            self._told_at = time.monotonic()
            tell(self.id, version, self.customer_id)
        if cancelled:
            raise Cancelled(self.id)
        if time.monotonic() > self._ends:
            raise PutOff(self.id)

    def keep_alive(self) -> None:
        """Renew the claim until `let_go`, in a thread of its own: a long statement is no sign of death."""
        threading.Thread(target=self._renew, name=f"operation-{self.id}", daemon=True).start()

    def let_go(self) -> None:
        """Renew it no longer."""
        self._over.set()

    def _renew(self) -> None:
        while not self._over.wait(_RENEW_SECONDS):
            with self._lock:
                if self._over.is_set():
                    return
                try:
                    with get_engine("system").begin() as connection:
                        found = connection.execute(
                            _RENEW, {"id": self.id, "claim": CLAIM_SECONDS, "until": self._until}
                        ).first()
                except DATABASE_TROUBLE as error:
                    log.warning("operation_not_renewed", operation=self.id, error=type(error).__name__)
                    continue
                if found is None:
                    return
                self._until = found[0]


@dataclass(frozen=True, slots=True)
class Runner:
    """What does the operations of one kind.

    Args:
        run: does it, or the rest of it, and returns its result as JSON.
        whole: whether it cannot go on in the middle, so that it is never put off.
    """

    run: Callable[[Work], dict[str, Any]]
    whole: bool = False
