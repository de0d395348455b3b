"""Keeping the world over restarts: one JSON file, replaced as a whole."""

import asyncio
import contextlib
import logging
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from botyard.simulator.model import Bot, Chat, File, Invoice, Person, Poll, Query
from botyard.simulator.settings import Settings
from botyard.simulator.world import FIRST_GROUP_ID, FIRST_PERSON_ID, World

FORMAT = 2
SHORTEST_INTERVAL = 0.5
"""Seconds between two snapshots."""
LARGEST_SHARE = 0.05
"""Part of the time that may go into writing: a big world is written less often."""

log = logging.getLogger("botyard.simulator")


class SnapshotError(Exception):
    """The file cannot be read as a snapshot; the text names the field and what is wrong with it."""


@dataclass(slots=True)
class _State:
    """What the file holds. Fields that an older file lacks have their defaults."""

    format: int
    bots: list[Bot]
    people: list[Person]
    chats: list[Chat]
    queries: list[Query] = field(default_factory=list)
    files: list[File] = field(default_factory=list)
    polls: list[Poll] = field(default_factory=list)
    invoices: list[Invoice] = field(default_factory=list)
    inline_messages: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    next_person_id: int = FIRST_PERSON_ID
    next_group_id: int = FIRST_GROUP_ID
    clock: tuple[float, float, float] = (0.0, 0.0, 1.0)
    settings: Settings = field(default_factory=Settings)
    bot_settings: dict[int, Settings] = field(default_factory=dict)


_READER: TypeAdapter[_State] = TypeAdapter(_State)


def dump(world: World) -> bytes:
    """Return the world as JSON."""
    state = _State(
        format=FORMAT,
        bots=list(world.bots.values()),
        people=list(world.people.values()),
        chats=[*world.chats.values(), *world.groups.values()],
        queries=list(world.queries.values()),
        files=list(world.files.values()),
        polls=list(world.polls.values()),
        invoices=list(world.invoices.values()),
        inline_messages=world.inline_messages,
        next_person_id=world.next_person_id,
        next_group_id=world.next_group_id,
        clock=world.clock.reading,
        settings=world.settings,
        bot_settings=world.bot_settings,
    )
    return orjson.dumps(state, default=_plain, option=orjson.OPT_NON_STR_KEYS)


def restore(world: World, data: bytes) -> None:
    """Fill an empty world from JSON made by :func:`dump`, by this version or the one before.

    Raises:
        SnapshotError: the data is something else.
    """
    try:
        raw = orjson.loads(data)
        found = raw["format"]
        if found == 1:
            _members_of_format_1(raw)
        elif found != FORMAT:
            raise SnapshotError(f"format {found} is not {FORMAT}: it was written by another version")
        state = _READER.validate_python(raw)
    except ValidationError as error:
        raise SnapshotError(_first_of(error)) from error
    except (ValueError, KeyError, TypeError) as error:
        raise SnapshotError(f"not a snapshot of the simulator: {type(error).__name__}: {error}") from error
    world.bots = {bot.id: bot for bot in state.bots}
    world.tokens = {bot.token: bot for bot in state.bots}
    world.people = {person.id: person for person in state.people}
    world.chats = {(chat.bot_id, chat.id): chat for chat in state.chats if chat.bot_id}
    world.groups = {chat.id: chat for chat in state.chats if not chat.bot_id}
    world.queries = {query.id: query for query in state.queries}
    world.files = {file.unique_id: file for file in state.files}
    world.polls = {poll.id: poll for poll in state.polls}
    world.invoices = {invoice.id: invoice for invoice in state.invoices}
    world.inline_messages = state.inline_messages
    world.clock.restore(state.clock)
    world.settings, world.bot_settings = state.settings, state.bot_settings
    world.next_person_id, world.next_group_id = state.next_person_id, state.next_group_id


def _first_of(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_input=False)[0]
    return f"field {'.'.join(map(str, found['loc']))}: {found['msg']}"


def _members_of_format_1(raw: dict[str, Any]) -> None:
    """Format 1 had a list of members, all of the same standing."""
    raw["format"] = FORMAT
    for chat in raw["chats"]:
        chat["members"] = {member: {} for member in chat["members"]}


class Keeper:
    """Writes the world to a file whenever it has changed.

    Args:
        world: what to keep.
        path: where.
    """

    def __init__(self, world: World, path: Path) -> None:
        self._world = world
        self._path = path
        self._written = -1
        self._stopping = asyncio.Event()
        self._complaint = ""

    async def run(self) -> None:
        """Write after changes until :meth:`stop`, and then a last time. What goes wrong is logged and tried again."""
        pause, last = SHORTEST_INTERVAL, False
        while not last:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
            # Looked at before the writing: what changes during it must still be written.
            last = self._stopping.is_set()
            started = time.perf_counter()
            await self._try_to_write()
            pause = max(SHORTEST_INTERVAL, (time.perf_counter() - started) / LARGEST_SHARE)

    def stop(self) -> None:
        """Let :meth:`run` end, with the world written."""
        self._stopping.set()

    async def write(self) -> None:
        """Write the world now, if it has changed since the last time. Only making the JSON holds up the loop.

        Raises:
            OSError: the file cannot be written.
            TypeError: something in the world cannot be JSON.
        """
        if self._written == self._world.revision:
            return
        written = self._world.revision
        await asyncio.to_thread(replace, self._path, dump(self._world))
        self._written = written

    async def _try_to_write(self) -> None:
        try:
            await self.write()
        except Exception as error:
            # Twice a second is often enough to try, and far too often to say.
            if str(error) != self._complaint:
                log.exception("the world was not saved to %s; this is tried again and again", self._path)
            self._complaint = str(error)
        else:
            self._complaint = ""


def replace(path: Path, data: bytes) -> None:
    """Replace a file as a whole, readable by its owner only: it holds tokens."""
    beside = path.with_name(f"{path.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    beside.replace(path)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    raise TypeError(value)
