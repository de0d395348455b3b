"""What a session changes is recorded beside it, and told to every process after the commit.

Every session of this program is listened to: single objects, and bulk statements of the ORM. What goes past it (raw
SQL, statements on tables) is found by the five-minute sync; see `botyard.manager`.

Source: https://docs.sqlalchemy.org/en/20/orm/session_events.html
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import Delete, Insert, Update, event, insert, inspect, select
from sqlalchemy.engine import Result
from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction, UOWTransaction
from sqlalchemy.orm.attributes import get_history
from sqlalchemy.orm.base import PASSIVE_NO_INITIALIZE

from botyard.sync import Data, Publisher, get_sync
from db.acting import actor
from db.audit import entry, kept_values
from db.models import AuditEntry, Event
from db.models.base import Base, Watched

Action = Literal["created", "updated", "deleted"]

_CHANGES: Final = "botyard.changes"
_MARKS: Final = "botyard.marks"
_MOST_TOLD: Final = 1000


@dataclass(frozen=True, slots=True)
class _Change:
    event: str
    data: tuple[tuple[str, int | str | None], ...]


def _noted(session: Session) -> list[_Change]:
    found: list[_Change] = session.info.setdefault(_CHANGES, [])
    return found


def _note(session: Session, topic: str, action: Action, data: Data) -> None:
    _noted(session).append(_Change(f"{topic}.{action}", tuple(data.items())))


def _ids(row: Watched) -> Data:
    version = getattr(row, "config_version", getattr(row, "version", None))
    return {"id": getattr(row, row.__topic_key__), "version": version, "customer": getattr(row, "customer_id", None)}


def _after_flush(session: Session, _: UOWTransaction) -> None:
    entries = []
    for row, action in _changed(session):
        if isinstance(row, Event):
            ids = (("id", row.id), ("bot", row.bot_id), ("customer", row.customer_id))
            _noted(session).append(_Change(f"events.{row.type}", ids))
        elif isinstance(row, Watched):
            before, after = _difference(row, action)
            if action == "updated" and not after:
                continue
            entries.append(entry(row, action, actor(), before, after))
            # A part of something: the whole has changed.
            whole = row.__topic_key__ == "id"
            _note(session, row.__topic__, action if whole else "updated", _ids(row))
    if entries:
        session.execute(insert(AuditEntry), entries)


def _changed(session: Session) -> Iterator[tuple[Base, Action]]:
    for row in session.new:
        yield row, "created"
    for row in session.dirty:
        yield row, "updated"
    for row in session.deleted:
        yield row, "deleted"


def _difference(row: Watched, action: Action) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """What the columns were and are: all of a row that comes or goes, else those that changed."""
    state = inspect(row)
    columns = [column.key for column in state.mapper.column_attrs]
    if action != "updated":
        found = kept_values(row, {key: state.dict[key] for key in columns if key in state.dict})
        return (None, found) if action == "created" else (found, None)
    before, after = {}, {}
    for key in columns:
        history = get_history(row, key, PASSIVE_NO_INITIALIZE)
        if history.has_changes():
            before[key] = history.deleted[0] if history.deleted else None
            after[key] = history.added[0] if history.added else None
    return kept_values(row, before), kept_values(row, after)


def _bulk(state: ORMExecuteState) -> Result[Any] | None:
    """A statement that changes many rows at once: those it will change are read, and locked, before."""
    statement = state.statement
    model = state.bind_mapper.class_ if state.is_orm_statement and state.bind_mapper is not None else None
    if model is None or not issubclass(model, Watched):
        return None
    if isinstance(statement, Insert):
        # Which rows it makes is not known before, and what it returns is the caller's: all of this topic may be new.
        _note(state.session, model.__topic__, "created", {})
        return None
    if not isinstance(statement, Update | Delete):
        return None
    # As they are in the database now, whatever this session knows of them: that is what is changed.
    found = select(model).where(*_criteria(state, model)).with_for_update()
    given = state.parameters if isinstance(state.parameters, Mapping) else {}
    state.session.flush()
    found = found.execution_options(populate_existing=True)
    rows = [(row, _values(row)) for row in state.session.scalars(found, given)]
    result = state.invoke_statement()
    _note_bulk(state.session, rows, "deleted" if isinstance(statement, Delete) else "updated")
    return result


def _criteria(state: ORMExecuteState, model: type[Watched]) -> tuple[Any, ...]:
    """Which rows a statement is about: those that it says, or of a list of parameters those of their keys."""
    if isinstance(state.parameters, Sequence):
        (key,) = inspect(model).primary_key
        return (key.in_([row[key.name] for row in state.parameters]),)
    return tuple(state.statement._where_criteria)  # type: ignore[attr-defined]  # noqa: SLF001 - no public reading of it


def _values(row: Any) -> dict[str, Any]:
    return {column.key: getattr(row, column.key) for column in inspect(row).mapper.column_attrs}


def _note_bulk(session: Session, rows: list[tuple[Any, dict[str, Any]]], action: Action) -> None:
    entries = []
    for row, before in rows:
        if action == "updated":
            session.refresh(row)
            now = _values(row)
            changed = [key for key in before if before[key] != now[key]]
            if not changed:
                continue
            was = kept_values(row, {key: before[key] for key in changed})
            entries.append(entry(row, action, actor(), was, kept_values(row, {key: now[key] for key in changed})))
        else:
            entries.append(entry(row, action, actor(), kept_values(row, before), None))
        _note(session, row.__topic__, action if row.__topic_key__ == "id" else "updated", _ids(row))
    if entries:
        session.execute(insert(AuditEntry), entries)


def _savepoint_begins(session: Session, transaction: SessionTransaction) -> None:
    if transaction.nested:
        session.info.setdefault(_MARKS, {})[transaction] = len(_noted(session))


def _taken_back(session: Session, transaction: SessionTransaction) -> None:
    """What was rolled back did not happen. What a flush has begun for itself is neither a savepoint nor the whole."""
    if not transaction.nested and transaction.parent is not None:
        return
    mark = session.info.get(_MARKS, {}).pop(transaction, 0)
    del _noted(session)[mark:]


def _committed(session: Session) -> None:
    if session.in_nested_transaction():
        return
    session.info.pop(_MARKS, None)
    told: list[_Change] = list(dict.fromkeys(session.info.pop(_CHANGES, [])))
    if len(told) > _MOST_TOLD:
        # Everybody would read nearly everything again anyway.
        told = list(dict.fromkeys(_Change(change.event, ()) for change in told))
    publisher: Publisher = get_sync()
    for change in told:
        publisher.publish(change.event, dict(change.data))


class YardSession(Session):
    """A session whose changes are recorded and told."""


event.listen(YardSession, "after_flush", _after_flush)
event.listen(YardSession, "do_orm_execute", _bulk)
event.listen(YardSession, "after_transaction_create", _savepoint_begins)
event.listen(YardSession, "after_soft_rollback", _taken_back)
event.listen(YardSession, "after_commit", _committed)
