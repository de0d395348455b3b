"""How old the last proven backup is, for whoever watches."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from db.engine import get_sessions
from db.models import Backup


@dataclass(frozen=True, slots=True)
class Age:
    """How old the last proven backup is.

    Args:
        verified_at: when it was proven; none: there is none.
        snapshot_at: the moment of which it is.
        trouble: why the latest one is not proven.
    """

    verified_at: datetime | None
    snapshot_at: datetime | None
    trouble: str | None


def age() -> Age:
    """How old the last proven one is, and what is wrong with the latest."""
    with get_sessions("system")() as session:
        proven = session.scalar(
            select(Backup).where(Backup.verified_at.is_not(None)).order_by(Backup.verified_at.desc()).limit(1)
        )
        latest = session.scalar(select(Backup).where(Backup.state != "running").order_by(Backup.id.desc()).limit(1))
    trouble = latest.reason if latest is not None and latest.reason else None
    return Age(proven.verified_at, proven.snapshot_at, trouble) if proven else Age(None, None, trouble)
