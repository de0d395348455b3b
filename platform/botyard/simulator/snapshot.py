"""Keeping the world over restarts: one JSON file, replaced as a whole."""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import orjson

from botyard.simulator.world import Bot, Chat, Message, Person, Query, Update, Webhook, World

FORMAT = 1
SHORTEST_INTERVAL = 0.5
"""Seconds between two snapshots."""
LARGEST_SHARE = 0.05
"""Part of the time that may go into writing: a big world is written less often."""


class SnapshotError(Exception):
    """The file cannot be read as a snapshot."""


def dump(world: World) -> bytes:
    """Return the world as JSON."""
    state = {
        "format": FORMAT,
        "bots": list(world.bots.values()),
        "people": list(world.people.values()),
        "chats": [*world.chats.values(), *world.groups.values()],
        "queries": list(world.queries.values()),
        "next_person_id": world.next_person_id,
        "next_group_id": world.next_group_id,
    }
    return orjson.dumps(state, default=_plain, option=orjson.OPT_NON_STR_KEYS)


def restore(world: World, data: bytes) -> None:
    """Fill an empty world from JSON made by :func:`dump`.

    Raises:
        SnapshotError: the data is something else.
    """
    try:
        state = orjson.loads(data)
        if state["format"] != FORMAT:
            raise SnapshotError(f"format {state['format']} is not {FORMAT}")
        for entry in state["bots"]:
            bot = _bot(entry)
            world.bots[bot.id] = world.tokens[bot.token] = bot
        for entry in state["people"]:
            world.people[entry["id"]] = Person(**entry)
        for entry in state["chats"]:
            chat = _chat(entry)
            if chat.bot_id:
                world.chats[chat.bot_id, chat.id] = chat
            else:
                world.groups[chat.id] = chat
        world.queries = {entry["id"]: Query(**entry) for entry in state["queries"]}
        world.next_person_id = state["next_person_id"]
        world.next_group_id = state["next_group_id"]
    except (ValueError, KeyError, TypeError) as error:
        raise SnapshotError(f"not a snapshot of the simulator: {error}") from error


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

    async def run(self) -> None:
        """Write after changes, until cancelled."""
        pause = SHORTEST_INTERVAL
        while True:
            await asyncio.sleep(pause)
            started = time.perf_counter()
            self.write()
            pause = max(SHORTEST_INTERVAL, (time.perf_counter() - started) / LARGEST_SHARE)

    def write(self) -> None:
        """Write the world now, if it has changed since the last time."""
        if self._written == self._world.revision:
            return
        written = self._world.revision
        replace(self._path, dump(self._world))
        self._written = written


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


def _bot(entry: dict[str, Any]) -> Bot:
    bot = Bot(**entry)
    if entry["webhook"]:
        bot.webhook = Webhook(**entry["webhook"])
    bot.pending = {}
    for waiting in entry["pending"].values():
        update = Update(**(waiting | {"body": waiting["body"].encode()}))
        bot.pending[update.update_id] = update
    return bot


def _chat(entry: dict[str, Any]) -> Chat:
    messages = (Message(**message) for message in entry["messages"].values())
    return Chat(**(entry | {"messages": {message.message_id: message for message in messages}}))
