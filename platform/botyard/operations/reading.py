"""Operations as their rows say, the latest first."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Select, select

from db.engine import get_sessions
from db.models import Operation


@dataclass(frozen=True, slots=True)
class Filter:
    """Which operations are meant: those to which everything that is given applies.

    Args:
        customer_id: of this customer.
        bot_id: of this bot.
        bots: of one of these bots.
        kind: of this kind.
        state: in this state.
        before: that began before the one with this number.
    """

    customer_id: int | None = None
    bot_id: int | None = None
    bots: Collection[int] | None = None
    kind: str | None = None
    state: str | None = None
    before: int | None = None


def query(chosen: Filter, limit: int) -> Select[Operation]:
    """What reads them, the latest first."""
    found = select(Operation).order_by(Operation.id.desc()).limit(limit)
    for column, value in (
        (Operation.customer_id, chosen.customer_id), (Operation.bot_id, chosen.bot_id),
        (Operation.kind, chosen.kind), (Operation.state, chosen.state),
    ):  # fmt: skip
        if value is not None:
            found = found.where(column == value)
    if chosen.bots is not None:
        found = found.where(Operation.bot_id.in_(chosen.bots))
    return found if chosen.before is None else found.where(Operation.id < chosen.before)


def latest(chosen: Filter, limit: int) -> list[Operation]:
    """Those of every customer, and of the installation: for somebody who may see everything."""
    with get_sessions("system")() as session:
        return list(session.scalars(query(chosen, limit)))


def operation(number: int) -> Operation | None:
    """One, whose ever it is: for somebody who may see everything."""
    with get_sessions("system")() as session:
        return session.get(Operation, number)
