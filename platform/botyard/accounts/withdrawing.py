"""Withdrawing links together with the rights of whoever made them, or because there is no use for them any more."""

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from db.models import Invitation


def withdraw_unused(session: Session, *which: ColumnElement[bool]) -> None:
    """Let links that were not used be valid no more, in the caller's transaction.

    Args:
        session: of the system role.
        which: what is so of them.
    """
    query = select(Invitation).where(*which, Invitation.used_at.is_(None)).order_by(Invitation.id)
    for row in session.scalars(query.with_for_update()):
        session.delete(row)
    session.flush()
