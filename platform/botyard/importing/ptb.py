"""The files of python-telegram-bot's PicklePersistence, of one file or of several, of its versions 13 to 22."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from botyard.errors import InputError
from botyard.importing.items import LARGEST_ID, Carried, Item, Person, Remembered
from botyard.importing.pickles import read_pickle
from botyard.importing.report import Report
from botyard.importing.settling import Settler

LARGEST_FILE: Final = 256 * 1024 * 1024
"""Of which the values take about twenty times as much of memory."""
PARTS: Final = ("user_data", "chat_data", "bot_data", "conversations", "callback_data")
_KEYBOARD: Final = re.compile(r"[0-9a-f]{32}")
_MOST_PER_BYTE: Final = 4
_LEAST_MOST: Final = 1_000_000

ONE_NUMBER: Final = (
    "states whose keys are one number were taken for those of chats. If the handler has per_chat=False, import them "
    "with --of-users and its name"
)


@dataclass(frozen=True, slots=True)
class Options:
    """What the files do not say.

    Args:
        modules: other names of modules, as ``__main__`` for a script's.
        of_users: names of conversation handlers that have ``per_chat=False``.
    """

    modules: Mapping[str, str]
    of_users: frozenset[str] = frozenset()


class PicklePersistence:
    """What PicklePersistence has written.

    Args:
        path: its file; or one of its files, or what their names begin with, if it was told ``single_file=False``.
        report: is told what is left out.
        options: what the files do not say.

    Raises:
        InputError: there is no such file, or it is none of these.
    """

    def __init__(self, path: Path, report: Report, options: Options) -> None:
        self._report = report
        self._options = options
        size, self._parts = _read(path)
        most = max(_LEAST_MOST, _MOST_PER_BYTE * size)
        self._settler = Settler(report, options.modules, most)
        self._of_chats, self._of_users = self._talks()
        self._total = sum(map(len, (self._users, self._chats, self._of_chats, self._of_users))) or 1
        self._done = 0

    @property
    def _users(self) -> dict[Any, Any]:
        return self._part("user_data")

    @property
    def _chats(self) -> dict[Any, Any]:
        return self._part("chat_data")

    def _part(self, name: str) -> dict[Any, Any]:
        found = self._parts.get(name)
        if isinstance(found, dict):
            return found
        if found is not None:
            self._report.skip("not a dictionary", name)
        return {}

    def share(self) -> float:
        """How much of it was handed on."""
        return min(1.0, self._done / self._total)

    def items(self) -> Iterator[Item]:
        """People, what is remembered of them, of chats and for the bot, and what buttons carry."""
        for user_id in {**self._users, **self._of_users}:
            self._done += 1
            if not _is_id(user_id) or user_id < 0:
                self._report.skip("no number of a person", f"user_data[{user_id!r}]"[:200])
                continue
            yield Person(user_id)
            yield from self._remembered("user", user_id, self._users.get(user_id, {}), self._of_users.get(user_id))
        for chat_id in {**self._chats, **self._of_chats}:
            self._done += 1
            if not _is_id(chat_id):
                self._report.skip("no number of a chat", f"chat_data[{chat_id!r}]"[:200])
                continue
            yield from self._remembered("chat", chat_id, self._chats.get(chat_id, {}), self._of_chats.get(chat_id))
        if (data := self._parts.get("bot_data")) is not None:
            state = self._settler.row(data, "bot_data")
            if state is not None:
                yield Remembered("bot", "", state)
        yield from self._keyboards()

    def _remembered(self, scope: str, number: int, data: Any, talks: Any) -> Iterator[Item]:
        state = self._settler.row(data, f"{scope}_data[{number}]", talks)
        if state is not None:
            yield Remembered(scope, str(number), state)

    def _talks(self) -> tuple[dict[int, Any], dict[int, Any]]:
        """The states of conversations, by the chat or the person in whose row they stand."""
        of_chats: dict[int, Any] = {}
        of_users: dict[int, Any] = {}
        for name, states in self._part("conversations").items():
            if not isinstance(states, dict) or not isinstance(name, str):
                self._report.skip("not a dictionary", f"conversations[{name!r}]"[:200])
                continue
            rows = of_users if name in self._options.of_users else of_chats
            for key, state in states.items():
                where = f"conversations[{name!r}][{key!r}]"[:200]
                if not isinstance(key, tuple) or not key or not _is_id(key[0]):
                    self._report.skip("a state whose key begins with no chat and no person", where)
                    continue
                if len(key) == 1 and key[0] > 0 and rows is of_chats:
                    self._report.note(ONE_NUMBER, where)
                rows.setdefault(key[0], {}).setdefault(name, {})[key] = state
        return of_chats, of_users

    def _keyboards(self) -> Iterator[Item]:
        found = self._parts.get("callback_data")
        if not found:
            return
        keyboards = found[0] if isinstance(found, tuple | list) else None
        for entry in keyboards if isinstance(keyboards, list) else ():
            if not isinstance(entry, tuple | list) or len(entry) != 3:
                self._report.skip("not a keyboard", "callback_data")
                continue
            number, made, buttons = entry
            if not isinstance(number, str) or not _KEYBOARD.fullmatch(number) or not isinstance(made, int | float):
                self._report.skip("not a keyboard", "callback_data")
                continue
            stored = self._settler.row(buttons, f"callback_data[{number}]")
            if stored is not None:
                yield Carried(number, stored, datetime.fromtimestamp(min(max(made, 0), 4e9), UTC))


def _is_id(value: Any) -> bool:
    return type(value) is int and 0 < abs(value) <= LARGEST_ID


def is_multiple(path: Path) -> bool:
    """Whether these are the files of PicklePersistence, or one of them, with ``single_file=False``."""
    return bool(_multiple(path))


def _multiple(path: Path) -> dict[str, Path]:
    """The parts by their names, if there are several files."""
    first = next((path.name.removesuffix(f"_{part}") for part in PARTS if path.name.endswith(f"_{part}")), path.name)
    files = {part: path.with_name(f"{first}_{part}") for part in PARTS}
    return (
        {} if path.is_file() and first == path.name else {part: file for part, file in files.items() if file.is_file()}
    )


def _read(path: Path) -> tuple[int, dict[str, Any]]:
    several = _multiple(path)
    for file in several.values() or (path,):
        if not file.is_file():
            raise InputError(
                "file", f"there is no file {file.name}.", "Give the path that PicklePersistence was given."
            )
    size = sum(file.stat().st_size for file in several.values() or (path,))
    if size > LARGEST_FILE:
        raise InputError("file", "is larger than 256 MiB.", "Let the bot write it as JSON lines: see docs/import.md.")
    if several:
        return size, {part: read_pickle(file.read_bytes(), file.name) for part, file in several.items()}
    found = read_pickle(path.read_bytes(), path.name)
    if not isinstance(found, dict) or not found.keys() & set(PARTS):
        raise InputError(
            path.name, "is a pickle, but none of PicklePersistence.", f"Its parts are called {', '.join(PARTS)}."
        )
    return size, found
