"""Operations begin: a row in the transaction of whoever wants one, and a message to a worker after its commit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import structlog
from celery import Celery
from kombu.exceptions import OperationalError
from sqlalchemy import event, func, insert, select
from sqlalchemy.orm import Session

from botyard.errors import TransientError
from botyard.mailbox.tickets import celery_producer
from botyard.operations.telling import tell
from db.acting import actor
from db.claims import took_effect
from db.engine import get_sessions
from db.models import AuditEntry, Operation

log = structlog.get_logger(__name__)

RUN_OPERATION: Final = "botyard.run_operation"
"""The task that runs one, by its number."""
PRIVATE: Final = "private"
"""The part of a request that is dropped when its operation ends: whom it is about, secrets that are sealed."""
LOOKS: Final = ("bot.why", "bot.schema")
"""Kinds that only look at a bot (`botyard.bots.errands`), so readers may want them: they are counted apart, are not
recorded, and one that is not over yet serves everybody who wants the same."""
_MOST_OPEN: Final = 50
_MOST_LOOKS: Final = 10
_BUSY_SECONDS: Final = 60.0


class TooMany(TransientError):
    """A customer has so many operations that are not over yet that it may begin no other one."""

    def __init__(self) -> None:
        super().__init__("Too many operations of this customer are not over yet: wait for some of them.", _BUSY_SECONDS)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be done.

    Args:
        kind: as ``bot.export``; a runner must be known by this name.
        customer_id: whose it is; none: the installation's.
        bot_id: of which bot, if it is about one.
        request: what its runner needs, as JSON; never a secret in clear. What stands under ``private`` is dropped when
            it ends, and shown to nobody.
        total: how much there is to do, if that is known.
    """

    kind: str
    customer_id: int | None = None
    bot_id: int | None = None
    request: Mapping[str, Any] = field(default_factory=dict)
    total: int | None = None


def without_private(told: Mapping[str, Any]) -> dict[str, Any]:
    """A request or a report without what is told to nobody."""
    return {name: value for name, value in told.items() if name != PRIVATE}


def begin(wanted: Wanted, session: Session | None = None) -> int:
    """Note an operation; a worker begins it in a moment, and the sweep sees to that if nobody can be told now.

    If a request is being served that may be repeated, this is its effect (`db.claims`): its repetition is answered with
    the same operation.

    Args:
        wanted: what.
        session: of the system role, whose transaction is to contain it; none: one of its own.

    Returns:
        Its number; of `LOOKS`, perhaps that of one that is at work already.

    Raises:
        TooMany: its customer has too many already.
        Overtaken: a repetition of the request has begun it; the transaction must not be committed.
    """
    if session is not None:
        number, fresh = _noted(session, wanted)
        if fresh:
            _after_commit(session, lambda: _start(number, wanted))
        return number
    with get_sessions("system").begin() as own:
        number, fresh = _noted(own, wanted)
    if fresh:
        _start(number, wanted)
    return number


def _start(number: int, wanted: Wanted) -> None:
    tell(number, 1, wanted.customer_id)
    send(number)


def send(number: int) -> bool:
    """Send it to a worker; whether that was possible. One that is at work already makes the message a harmless one."""
    try:
        _producer().send_task(
            RUN_OPERATION, args=(number,), queue="maintenance", retry=False, argsrepr="", kwargsrepr=""
        )
    except (OperationalError, OSError) as error:
        log.warning("operation_not_sent", operation=number, error=type(error).__name__)
        return False
    return True


def _noted(session: Session, wanted: Wanted) -> tuple[int, bool]:
    """Its number, and whether it is a new one."""
    if wanted.customer_id is not None:
        # Two that count at once would both find room.
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("operations", wanted.customer_id))))
        looks = wanted.kind in LOOKS
        of_both = Operation.kind.in_(LOOKS)
        unfinished = (
            Operation.customer_id == wanted.customer_id, Operation.state.in_(("queued", "running")),
            of_both if looks else ~of_both,
        )  # fmt: skip
        same = select(Operation.id).where(
            *unfinished, Operation.kind == wanted.kind, Operation.bot_id == wanted.bot_id,
            Operation.cancel_asked_at.is_(None),
        )  # fmt: skip
        if looks and (known := session.scalar(same.limit(1))) is not None:
            return known, False
        if (session.scalar(select(func.count()).where(*unfinished)) or 0) >= (_MOST_LOOKS if looks else _MOST_OPEN):
            raise TooMany
    return _write(session, wanted), True


def _write(session: Session, wanted: Wanted) -> int:
    row = Operation(
        kind=wanted.kind, customer_id=wanted.customer_id, bot_id=wanted.bot_id, actor=actor(),
        request=dict(wanted.request), total=wanted.total,
    )  # fmt: skip
    session.add(row)
    session.flush()
    if wanted.kind in LOOKS:
        return row.id
    # The act is recorded; its progress is not, and whom it is about neither.
    session.execute(
        insert(AuditEntry).values(
            customer_id=wanted.customer_id, bot_id=wanted.bot_id, actor=actor(), action="created",
            entity=f"operations:{row.id}", before=None, after={"kind": wanted.kind},
        )
    )  # fmt: skip
    took_effect(session, operation=row.id)
    return row.id


def _after_commit(session: Session, work: Callable[[], None]) -> None:
    """Once, after the whole transaction: the release of a savepoint looks like a commit, too."""
    over = False

    def committed(done: Session) -> None:
        nonlocal over
        if not over and not done.in_nested_transaction():
            over = True
            work()

    event.listen(session, "after_commit", committed)


@lru_cache(maxsize=1)
def _producer() -> Celery:
    return celery_producer()
