"""The two statements of processing: load what a run needs, and write what it did. See docs/processing.md.

A batch is one statement and one commit, and yet its rows stand or fall one by one: each update has its own fence (the
versions of the memory it loaded) and its own unique key (the inbox).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import orjson
import psycopg2

from botyard.bots.registry import ServedBot
from botyard.jobs.stored import MOST_JOBS, StoredJob
from botyard.processing import statements
from botyard.telegram.firing import job_of_row
from botyard.telegram.run import Lane, Send
from db.line import Rows
from db.prepared import Prepared, Statements

MemoryKey = tuple[str, str]
"""(scope, key) of a conversations row: ``("chat", "42")``, ``("user", "7")``, ``("bot", "")``."""


class Verdict(Enum):
    """What the database decided about one update."""

    WRITTEN = "written"
    KNOWN = "known"
    """Resolved before, by somebody else: nothing was changed."""
    STALE = "stale"
    """Somebody else wrote the memory it had loaded: nothing was changed, load again."""
    REFUSED = "refused"
    """Its own rows cannot be stored: nothing was changed, and trying again cannot help."""
    GONE = "gone"
    """Its bot was removed, or is being removed: nothing was changed."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An update whose memory is to be loaded."""

    update_id: int
    keys: tuple[MemoryKey, ...]
    fires: bool = False
    """It is a job's firing: whether that is still to run is loaded, too."""


@dataclass(slots=True)
class Loaded:
    """What the database knows of an update."""

    resolved: bool = False
    states: dict[MemoryKey, tuple[bytes, int]] = field(default_factory=dict)
    """Stored memory as JSON, and its version; a key that is missing was never written."""
    moved_to: str | None = None
    """Its chat is another one now, under whose key the memory stands: load that."""
    job: StoredJob | None = None
    """The job whose firing it is, unless that was removed, switched off or replaced since."""
    begun: bool = False
    """A run of it has written or called something, and came to no end."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """What is to be written for one update."""

    update_id: int
    memory: frozenset[MemoryKey]
    """Rows it guards or writes, jobs among them: two of a batch must not share one."""
    row: bytes
    """Its part of the batch, as JSON."""
    has_jobs: bool = False
    """Whether jobs stand in it, or it ends a job's firing."""
    has_person: bool = False
    """Whether there is news of its person in it."""
    forgets: bool = False
    """Whether keyboards whose buttons carry objects are to be forgotten with it."""
    ends: bool = False
    """Whether it is dead, or says that nobody hears the bot any more."""

    @classmethod
    def of(cls, update_id: int, memory: Iterable[MemoryKey], row: dict[str, Any]) -> "Resolution":
        """What is to be written, by what stands in its row.

        Raises:
            TypeError: a text holds a lone surrogate, or a number does not fit: it cannot be JSON.
        """
        return cls(
            update_id, frozenset(memory), orjson.dumps(row),
            has_jobs="jobs" in row, forgets="dropped" in row, ends="dead" in row or row["reach"] is False,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Decided:
    """A verdict, with the reason when the rows were refused."""

    verdict: Verdict
    reason: str = ""


@dataclass(slots=True)
class _Known:
    """The rows that a load has found."""

    resolved: set[int] = field(default_factory=set)
    begun: set[int] = field(default_factory=set)
    moved: dict[MemoryKey, str] = field(default_factory=dict)
    states: dict[MemoryKey, tuple[bytes, int]] = field(default_factory=dict)
    jobs: dict[int, StoredJob] = field(default_factory=dict)

    def take(self, what: str, scope: str, key: str, state: str, version: int) -> None:
        if what == "i":
            self.resolved.add(int(scope))
        elif what == "b":
            self.begun.add(int(scope))
        elif what == "m":
            self.moved[scope, key] = state
        elif what == "j":
            self.jobs[int(scope)] = job_of_row(orjson.loads(state))
        else:
            self.states[scope, key] = (state.encode(), version)


async def load(database: Statements, bot: ServedBot, telegram_id: int, wanted: Sequence[Wanted]) -> list[Loaded]:
    """Load the memory of several updates in one round trip, from the primary."""
    keys = sorted({key for one in wanted for key in one.keys})
    fires = any(one.fires for one in wanted)
    parameters = {
        "tenant": str(bot.customer_id),
        "bot": bot.id,
        "forgets_after": bot.forgets_after,
        "telegram_id": telegram_id,
        "updates": [one.update_id for one in wanted],
        "chats": [key for scope, key in keys if scope == "chat"],
        "scopes": [scope for scope, _ in keys],
        "keys": [key for _, key in keys],
    }
    known = _Known()
    for row in await _execute(database, statements.LOAD_FIRING if fires else statements.LOAD, parameters):
        known.take(*row)
    return [
        Loaded(
            one.update_id in known.resolved,
            {key: known.states[key] for key in one.keys if key in known.states},
            next((known.moved[key] for key in one.keys if key in known.moved), None),
            known.jobs.get(one.update_id),
            one.update_id in known.begun,
        )
        for one in wanted
    ]


async def commit(database: Statements, bot: ServedBot, telegram_id: int, batch: Sequence[Resolution]) -> list[Decided]:
    """Write what several updates did.

    Two updates of a batch never share a memory row: within one statement both would see its old version.
    """
    decided: dict[int, Decided] = {}
    for part in _without_shared_memory(batch):
        await _write(database, bot, telegram_id, part, decided)
    return [decided[resolution.update_id] for resolution in batch]


def _without_shared_memory(batch: Sequence[Resolution]) -> list[list[Resolution]]:
    parts: list[tuple[set[MemoryKey], list[Resolution]]] = []
    for resolution in sorted(batch, key=lambda one: one.update_id):
        # Nor the same update twice: one that a slice lost and took again may stand here as run and as given up.
        wanted = resolution.memory | {("update", str(resolution.update_id))}
        for taken, part in parts:
            if taken.isdisjoint(wanted):
                taken.update(wanted)
                part.append(resolution)
                break
        else:
            parts.append((set(wanted), [resolution]))
    return [part for _, part in parts]


async def _write(
    database: Statements,
    bot: ServedBot,
    telegram_id: int,
    part: Sequence[Resolution],
    decided: dict[int, Decided],
) -> None:
    parameters = {
        "tenant": str(bot.customer_id),
        "customer": bot.customer_id,
        "bot": bot.id,
        "telegram_id": telegram_id,
        "repeat": "repeat" if bot.repeats else "leave",
        "most_jobs": MOST_JOBS,
        "batch": (b"[" + b",".join(resolution.row for resolution in part) + b"]").decode(),
    }
    try:
        found: dict[int, bool | None] = dict(await _execute(database, _statement(part), parameters))
    except (psycopg2.IntegrityError, psycopg2.DataError) as error:
        await _split(database, bot, telegram_id, part, decided, error)
        return
    unwritten = Verdict.STALE if found else Verdict.GONE
    for resolution in part:
        written = found.get(resolution.update_id, unwritten)
        if written is None:
            decided[resolution.update_id] = Decided(Verdict.REFUSED, f"it would have more than {MOST_JOBS} jobs")
        elif isinstance(written, Verdict):
            decided[resolution.update_id] = Decided(written)
        else:
            decided[resolution.update_id] = Decided(Verdict.WRITTEN if written else Verdict.KNOWN)


def _statement(part: Sequence[Resolution]) -> Prepared:
    parts = [(one.has_jobs, one.has_person, one.forgets, one.ends) for one in part]
    return statements.COMMITS[tuple(map(any, zip(*parts, strict=True)))]


async def _split(
    database: Statements,
    bot: ServedBot,
    telegram_id: int,
    part: Sequence[Resolution],
    decided: dict[int, Decided],
    error: psycopg2.Error,
) -> None:
    """One bad row fails a whole statement: halve it down to the culprit, and write the others."""
    if len(part) > 1:
        middle = len(part) // 2
        await _write(database, bot, telegram_id, part[:middle], decided)
        await _write(database, bot, telegram_id, part[middle:], decided)
        return
    diagnostics = error.diag
    stale = diagnostics.constraint_name == "pk_conversations"
    reason = diagnostics.message_primary or type(error).__name__
    decided[part[0].update_id] = Decided(Verdict.STALE if stale else Verdict.REFUSED, reason)


async def _execute(database: Statements, statement: Prepared, parameters: dict[str, Any]) -> Rows:
    """Run a statement as its own transaction in one round trip.

    A connection that breaks leaves open whether the statement was committed. It is tried once more, on a fresh one:
    the inbox' key tells what happened.
    """
    for last in (False, True):
        try:
            return await database.execute(parameters, statement)
        except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
            if last or error.pgcode is not None:
                raise
    raise AssertionError


async def written_early(database: Statements, customer_id: int, telegram_id: int, update_id: int) -> dict[int, Send]:
    """What earlier runs of an update have put into the outbox, by number."""
    parameters = {"tenant": str(customer_id), "telegram_id": telegram_id, "update": update_id}
    rows = await _execute(database, statements.WRITTEN_EARLY, parameters)
    found = {}
    for n, method, text, chat, lane in rows:
        params = orjson.loads(text)
        items = len(params["media"]) if method == "sendMediaGroup" else 1
        found[n] = Send(method, params, chat, Lane(lane), None, items)
    return found
