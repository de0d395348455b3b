"""Somebody wants an operation to end."""

from datetime import UTC, datetime

from sqlalchemy import func, insert
from sqlalchemy.orm import Session

from botyard.errors import InputError, Stale
from botyard.operations.beginning import without_private
from botyard.operations.telling import tell
from db.acting import actor
from db.engine import get_sessions
from db.models import AuditEntry, Operation


def cancel(number: int, expected: int | None = None) -> Operation:
    """End an operation: at once if it waits, at its next step if it runs. One that is over stays as it is.

    What it has done already stays done.

    Args:
        number: which one; whoever calls this has checked the right to.
        expected: its version, as it was seen; none: whichever it is.

    Returns:
        It, as it is now.

    Raises:
        InputError: it is not there any more.
        Stale: it was changed since.
    """
    with get_sessions("system").begin() as session:
        row = session.get(Operation, number, with_for_update=True)
        if row is None:
            raise InputError("operation", "is not here any more.", "See the list of operations.")
        if expected is not None and row.version != expected:
            raise Stale(row.version)
        if row.finished_at is not None or row.cancel_asked_at is not None:
            return row
        row.cancel_asked_at = datetime.now(UTC)
        if row.state == "queued":
            row.state, row.finished_at, row.runs_until = "cancelled", func.clock_timestamp(), None
            row.request = without_private(row.request)
            row.result = without_private(row.result or {}) or None
        row.version += 1
        session.flush()
        _record(session, row)
        session.refresh(row)
    tell(row.id, row.version, row.customer_id)
    return row


def _record(session: Session, row: Operation) -> None:
    """The act; whom it was about is not said."""
    session.execute(
        insert(AuditEntry).values(
            customer_id=row.customer_id, bot_id=row.bot_id, actor=actor(), action="updated",
            entity=f"operations:{row.id}", before={"cancelled": False}, after={"cancelled": True},
        )
    )  # fmt: skip
