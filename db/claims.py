"""Which request is being served, so that what it makes is made once: see ``Idempotency-Key`` in docs/api.md."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from botyard.errors import TransientError
from db.models import IdempotencyKey


class Overtaken(TransientError):
    """This request took so long that a repetition of it was let in: that one makes what was asked for."""

    def __init__(self) -> None:
        super().__init__("This request took too long, and its repetition is at work now.")


@dataclass(frozen=True, slots=True)
class Claim:
    """A request that is being served, and the row in which its effect is noted.

    Args:
        person_id: who asks.
        route: method and path.
        key: their key.
        until: when it is taken for dead; at the same time what tells this serving of it from a later one.
    """

    person_id: int
    route: str
    key: str
    until: datetime


_claim: ContextVar[Claim | None] = ContextVar("claim", default=None)


@contextmanager
def serving(claim: Claim) -> Iterator[None]:
    """What is made in this block is made for this request."""
    token: Final = _claim.set(claim)
    try:
        yield
    finally:
        _claim.reset(token)


def took_effect(session: Session, **made: Any) -> None:
    """Note in the caller's transaction what it makes, if it serves a request that may be repeated.

    Call it where the effect is written: both are committed, or neither. A repetition is then answered from these.

    Args:
        session: of any role.
        made: the numbers of what is made, as ``bot=31``.

    Raises:
        Overtaken: a repetition was let in meanwhile; the transaction must not be committed.
    """
    claim = _claim.get()
    if claim is None:
        return
    session.execute(select(func.set_config("app.person", str(claim.person_id), True)))
    noted = session.connection().execute(
        update(IdempotencyKey)
        .where(
            IdempotencyKey.person_id == claim.person_id,
            IdempotencyKey.route == claim.route,
            IdempotencyKey.key == claim.key,
            IdempotencyKey.running_until == claim.until,
            IdempotencyKey.made.is_(None),
        )
        .values(made=made)
    )
    if noted.rowcount != 1:
        raise Overtaken
