"""Writing what is imported: in batches, each a transaction, each of which may be done again without any harm.

What is here already and the same stays untouched; what differs stays too, unless it is to be overwritten or the source
says that its own is newer. Memory has versions, and every writer compares them: a chat that is being processed is never
written over, and its update is run again with what was imported.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from psycopg2.errors import DeadlockDetected, LockNotAvailable, QueryCanceled
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from botyard.errors import PermanentError
from botyard.importing import statements
from botyard.importing.items import Carried, Item, Person, Remembered, Unreachable
from botyard.importing.report import CHANGED, NEW, SAME, Report
from db.engine import get_engine

_BUSY: Final = (DeadlockDetected, LockNotAvailable, QueryCanceled)
_TRIES: Final = 8
_NAMES: Final = {"user": "user_data", "chat": "chat_data", "bot": "bot_data"}


class BotGone(PermanentError):
    """The bot was removed, or is being removed."""

    def __str__(self) -> str:
        return "The bot was removed, or is being removed."


@dataclass(frozen=True, slots=True)
class Target:
    """Into which bot, and how.

    Args:
        bot_id: the bot's row.
        customer_id: whose it is.
        dry: only look what would be done.
        overwrite: what is here already and differs is replaced.
    """

    bot_id: int
    customer_id: int
    dry: bool = False
    overwrite: bool = False


class Writer:
    """Writes batches into one bot.

    Args:
        target: into which, and how.
        report: is told what became of each thing.
    """

    def __init__(self, target: Target, report: Report) -> None:
        self._target = target
        self._report = report

    def write(self, batch: Sequence[Item]) -> None:
        """Write a batch, or see what writing it would do.

        Raises:
            BotGone: there is no bot to write for.
            TransientError: the rows are in use for too long.
        """
        for attempt in range(_TRIES):
            # What a batch that was rolled back has counted never was.
            counted = Report()
            try:
                with get_engine("application").begin() as connection:
                    self._within(connection, batch, counted)
            except OperationalError as error:
                if not isinstance(error.orig, _BUSY) or attempt == _TRIES - 1:
                    raise
                time.sleep(0.1 * 2**attempt)
                continue
            self._report.add(counted)
            return

    def _within(self, connection: Connection, batch: Sequence[Item], report: Report) -> None:
        target = self._target
        connection.execute(statements.TENANT, {"tenant": str(target.customer_id)})
        if connection.execute(statements.BOT, {"bot": target.bot_id}).first() is None:
            raise BotGone
        rows = _Rows(connection, target, report)
        # Memory before people, as what processes updates locks them.
        rows.memory([one for one in batch if isinstance(one, Remembered)])
        rows.people([one for one in batch if isinstance(one, Person)])
        rows.unreachable([one for one in batch if isinstance(one, Unreachable)])
        rows.carried([one for one in batch if isinstance(one, Carried)])


class _Rows:
    """The rows of one batch, in its transaction."""

    def __init__(self, connection: Connection, target: Target, report: Report) -> None:
        self._connection = connection
        self._target = target
        self._report = report

    def _execute(self, statement: Any, **values: Any) -> list[Any]:
        found = self._connection.execute(statement, {"bot": self._target.bot_id, **values})
        return list(found.mappings()) if found.returns_rows else []

    def _write(self, statement: Any, rows: Sequence[dict[str, Any]]) -> list[Any]:
        if not rows or self._target.dry:
            return []
        return self._execute(statement, customer=self._target.customer_id, rows=orjson.dumps(rows).decode())

    def people(self, people: Sequence[Person]) -> None:
        """Users: what is not known of them yet is added."""
        if not people:
            return
        select = statements.PEOPLE if self._target.dry else statements.PEOPLE_TO_CHANGE
        known = {row["user_id"]: row for row in self._execute(select, users=[one.user_id for one in people])}
        new, changed = [], []
        for one in people:
            row = known.get(one.user_id)
            if row is None:
                new.append(_new_person(one))
                self._report.count("people", NEW)
                continue
            changes, differing = changes_of(one, row, overwrite=self._target.overwrite)
            if changes:
                noted = any(name in one.notes for name in changes)
                changed.append({**row, **changes, "version": row["version"] + noted})
                self._report.count("people", CHANGED)
            elif differing:
                self._report.differs("people", f"{one.user_id}: {', '.join(differing)}")
            else:
                self._report.count("people", SAME)
        self._write(statements.NEW_PEOPLE, new)
        self._write(statements.CHANGED_PEOPLE, changed)

    def memory(self, rows: Sequence[Remembered]) -> None:
        """What the bot remembers."""
        if not rows:
            return
        moved = self._moved([one.key for one in rows if one.scope == "chat"])
        keys = [(one.scope, moved.get(one.key, one.key) if one.scope == "chat" else one.key) for one in rows]
        select = statements.MEMORY if self._target.dry else statements.MEMORY_TO_CHANGE
        found = self._execute(select, scopes=[scope for scope, _ in keys], keys=[key for _, key in keys])
        known = {(row["scope"], row["key"]): row for row in found}
        new, changed = [], []
        for one, (scope, key) in zip(rows, keys, strict=True):
            row = known.get((scope, key))
            stored = {"scope": scope, "key": key, "state": one.state.decode(), "at": one.updated_at}
            if row is None:
                new.append(stored)
                self._report.count(_NAMES[scope], NEW)
            elif _same(row["state"], one.state):
                self._report.count(_NAMES[scope], SAME)
            elif self._is_older(row, one):
                changed.append({**stored, "version": row["version"]})
                self._report.count(_NAMES[scope], CHANGED)
            else:
                self._report.differs(_NAMES[scope], f"{_NAMES[scope]}[{key}]" if key else _NAMES[scope])
        self._write(statements.NEW_MEMORY, new)
        self._write(statements.CHANGED_MEMORY, changed)

    def _moved(self, keys: Sequence[str]) -> dict[str, str]:
        """Groups that are other chats by now, with what they became."""
        found = self._execute(statements.MOVED, chats=list(keys)) if keys else []
        return {row["chat_key"]: row["moved_to"] for row in found}

    def _is_older(self, row: Any, one: Remembered) -> bool:
        """Whether what is here gives way."""
        newer = one.updated_at is not None and one.updated_at > row["updated_at"]
        return self._target.overwrite or newer or row["state"] == "{}"

    def unreachable(self, chats: Sequence[Unreachable]) -> None:
        """Chats that cannot be reached; of those that are known here more is known here."""
        if not chats:
            return
        found = self._execute(statements.CHATS, chats=[one.chat_key for one in chats])
        known = {row["chat_key"]: row["unreachable"] for row in found}
        for one in chats:
            if one.chat_key not in known:
                self._report.count("unreachable", NEW)
            elif known[one.chat_key]:
                self._report.count("unreachable", SAME)
            else:
                self._report.differs("unreachable", one.chat_key)
        new = [{"chat": one.chat_key, "since": one.since} for one in chats if one.chat_key not in known]
        self._write(statements.NEW_UNREACHABLE, new)

    def carried(self, keyboards: Sequence[Carried]) -> None:
        """What buttons carry: it never changes."""
        if not keyboards:
            return
        found = self._execute(statements.KEYBOARDS, numbers=[one.number for one in keyboards])
        known = {row["number"] for row in found}
        new = [one for one in keyboards if one.number not in known]
        self._report.count("buttons", NEW, len(new))
        self._report.count("buttons", SAME, len(keyboards) - len(new))
        rows = [{"number": one.number, "buttons": orjson.loads(one.buttons), "at": one.created_at} for one in new]
        self._write(statements.NEW_KEYBOARDS, rows)


def _new_person(one: Person) -> dict[str, Any]:
    given = {"user_id": one.user_id, **one.profile, **one.notes}
    last = one.last_seen or one.first_seen
    return given | {"first_seen": one.first_seen or one.last_seen, "last_seen": last}


def changes_of(one: Person, row: Any, *, overwrite: bool) -> tuple[dict[str, Any], list[str]]:
    """What changes of a person who is known, and the names of what differs and stays.

    What is empty is filled, tags and attributes that are missing are added; anything else changes only if it is to be
    overwritten.
    """
    changes: dict[str, Any] = {}
    differing = []
    for name, value in {**one.profile, **one.notes}.items():
        current = row[name]
        wanted, differs = _merged(current, value, overwrite=overwrite)
        if differs:
            differing.append(name)
        if wanted != current:
            changes[name] = wanted
    if one.last_seen is not None and one.last_seen > row["last_seen"]:
        changes["last_seen"] = one.last_seen
    return changes, differing


def _merged(current: Any, value: Any, *, overwrite: bool) -> tuple[Any, bool]:
    """What is to stand there, and whether that is not what was to be imported."""
    if value == current or value in (None, "", [], {}):
        return current, False
    if isinstance(value, dict):
        merged = {**current, **value} if overwrite else {**value, **current}
        return merged, any(merged[name] != item for name, item in value.items())
    if isinstance(value, list):
        return [*current, *(item for item in value if item not in current)], False
    if overwrite or current in (None, "", False):
        return value, False
    return current, True


def _same(stored: str, state: bytes) -> bool:
    return stored.encode() == state or bool(orjson.loads(stored) == orjson.loads(state))
