"""What the processes of `botyard run` have written, from the files that the supervisor keeps in the state folder."""

import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

Level = Literal["debug", "info", "warning", "error"]
LEVELS: Final[tuple[Level, ...]] = ("debug", "info", "warning", "error")

Place = tuple[int, int]
"""A place in a log: which file it is, and how many bytes of it are before."""
Places = Mapping[str, Place]
"""Of each process by its name."""

_NOWHERE: Final[Place] = (0, 0)
_FOLLOW_SECONDS: Final = 0.2
_PART_BYTES: Final = 256 * 1024
_ISO: Final = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d(?:[.,]\d{1,6})?)(?:Z| UTC|\+00:00)?")
_VALKEY: Final = re.compile(r"\d+:[A-Z] (\d\d \w{3} \d{4} \d\d:\d\d:\d\d\.\d{3}) ([.\-*#])")
_WORD: Final = re.compile(r"\[(debug|info|warning|error|critical) *\]|\b(WARNING|ERROR|FATAL|PANIC|CRITICAL): ")
_NAMES: Final[dict[str, Level]] = {
    "debug": "debug", "info": "info", "warning": "warning", "error": "error", "critical": "error", "fatal": "error",
    "panic": "error", "exception": "error",
}  # fmt: skip
_SIGNS: Final[dict[str, Level]] = {".": "debug", "-": "info", "*": "info", "#": "warning"}


@dataclass(frozen=True, slots=True)
class Line:
    """One line, or several that belong together: a traceback belongs to the line before it.

    Args:
        process: who wrote it.
        at: when, in seconds since the epoch; none: it does not say, and neither does any line before it.
        level: how grave it is; what says nothing of the kind is ``info``.
        text: as it was written.
    """

    process: str
    at: float | None
    level: Level
    text: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines to show: those to which everything given applies.

    Args:
        process: the process that wrote them.
        least: the least grave level.
        since: seconds since the epoch.
        bots: numbers of a bot, one of which the line must name as ``bot`` or ``telegram_id``.
    """

    process: str | None = None
    least: Level = "debug"
    since: float | None = None
    bots: frozenset[int] = frozenset()

    def take(self, line: Line) -> bool:
        """Whether this line is wanted."""
        if self.since is not None and (line.at is None or line.at < self.since):
            return False
        if LEVELS.index(line.level) < LEVELS.index(self.least):
            return False
        return not self.bots or bool(self.bots & _bots_of(line.text))


def processes(folder: Path) -> list[str]:
    """Who has a log there."""
    return sorted(path.stem for path in folder.glob("*.log"))


def ends(folder: Path) -> Places:
    """How far each log has been written by now, in whole lines: where reading ends and following begins."""
    return {name: _place(folder / f"{name}.log") for name in processes(folder)}


def read(folder: Path, wanted: Wanted, most: int, until: Places) -> list[Line]:
    """The latest wanted lines that are there, of all processes together, in the order of their times.

    Args:
        folder: with the logs.
        wanted: which lines.
        most: how many at most; no more is read than these need.
        until: up to where, as `ends` said.
    """
    found: list[Line] = []
    for name in until:
        if wanted.process in (None, name):
            found += _latest_of(folder, name, wanted, most, until[name])
    found.sort(key=lambda line: line.at or 0.0)
    return found[max(len(found) - most, 0) :]


def follow(folder: Path, wanted: Wanted, places: Places) -> Iterator[Line]:
    """Whatever is written from these places on, without end; a file that is begun anew is read from its start."""
    places = dict(places)
    while True:
        for name in processes(folder):
            if wanted.process not in (None, name):
                continue
            text, places[name] = _news(folder, name, places.get(name, _NOWHERE))
            yield from (line for line in joined(name, text.splitlines()) if wanted.take(line))
        time.sleep(_FOLLOW_SECONDS)


def _latest_of(folder: Path, name: str, wanted: Wanted, most: int, end: Place) -> list[Line]:
    """The latest wanted lines of one process, oldest first; the rotated file is read if the present one has too few."""
    present, rotated = folder / f"{name}.log", folder / f"{name}.log.1"
    if _number(present) != end[0]:
        return _latest(rotated, name, wanted, most, end[1])  # rotated since
    found = _latest(present, name, wanted, most, end[1])
    missing = most - len(found)
    return [*_latest(rotated, name, wanted, missing, None), *found] if missing > 0 else found


def _latest(path: Path, name: str, wanted: Wanted, most: int, end: int | None) -> list[Line]:
    """The latest wanted lines of one file, read from its end in parts that grow until they have enough."""
    size = _PART_BYTES
    while True:
        raw, begin = _before(path, end, size)
        found = [line for line in joined(name, raw.decode(errors="replace").splitlines()) if wanted.take(line)]
        # The first one may be the rest of something that begins before the part.
        if begin == 0 or len(found) > most:
            return found[max(len(found) - most, 0) :]
        size *= 4


def _before(path: Path, end: int | None, size: int) -> tuple[bytes, int]:
    """The lines that begin in the last bytes before a place (none: the file's end), and where they begin."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END) if end is None else end
            begin = file.seek(max(end - size, 0))
            content = file.read(end - begin)
    except FileNotFoundError:
        return b"", 0
    cut = content.find(b"\n") + 1 if begin else 0
    return content[cut:], begin


def _news(folder: Path, name: str, place: Place) -> tuple[str, Place]:
    """What was written behind a place, and the place behind that."""
    path, (number, offset) = folder / f"{name}.log", place
    present = _number(path)
    rest = ""
    if present != number:
        rotated = folder / f"{name}.log.1"
        if number and _number(rotated) == number:
            rest, _ = _complete(rotated, offset)
        offset = 0
    elif _size(path) < offset:
        offset = 0
    text, offset = _complete(path, offset)
    return rest + text, (present, offset)


def _place(path: Path) -> Place:
    size = _size(path)
    raw, _ = _before(path, size, _PART_BYTES)
    return _number(path), size - len(raw.rpartition(b"\n")[2])


def _number(path: Path) -> int:
    """Which file it is; 0 if there is none."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return 0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _complete(path: Path, offset: int) -> tuple[str, int]:
    """The whole lines behind a place, and the place behind them."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            content = file.read()
    except FileNotFoundError:
        return "", offset
    whole = content[: content.rfind(b"\n") + 1]
    return whole.decode(errors="replace"), offset + len(whole)


def joined(process: str, raw: list[str]) -> Iterator[Line]:
    """Lines with their times; what has no time of its own goes with the line before it."""
    held: Line | None = None
    for text in raw:
        at, level = _read_head(text)
        if at is None and held is not None:
            held = Line(process, held.at, held.level, f"{held.text}\n{text}")
            continue
        if held is not None:
            yield held
        held = Line(process, at, level, text)
    if held is not None:
        yield held


def _read_head(text: str) -> tuple[float | None, Level]:
    """When a line was written, if it says so, and its level."""
    try:
        return _read_time_and_level(text)
    except (ValueError, OverflowError):
        # A bot may print anything: what only looks like a time is none.
        return None, "info"


def _read_time_and_level(text: str) -> tuple[float | None, Level]:
    if text.startswith("{"):
        try:
            record = json.loads(text)
            at = datetime.fromisoformat(str(record["timestamp"]))
            return at.timestamp(), _NAMES.get(str(record.get("level", "")).lower(), "info")
        except (KeyError, TypeError):
            return None, "info"
    if found := _VALKEY.match(text):
        # It writes the time of this machine's zone.
        at = datetime.strptime(found[1], "%d %b %Y %H:%M:%S.%f").astimezone()
        return at.timestamp(), _SIGNS[found[2]]
    word = _WORD.search(text[:160])
    level = _NAMES[(word[1] or word[2]).lower()] if word else "info"
    if found := _ISO.match(text):
        at = datetime.fromisoformat(f"{found[1]}T{found[2].replace(',', '.')}").replace(tzinfo=UTC)
        return at.timestamp(), level
    return None, level


_BOT: Final = re.compile(r"""(?:\bbot|\btelegram_id)["']?[=:] ?["']?(\d{1,20})""")


def _bots_of(text: str) -> set[int]:
    return {int(number) for number in _BOT.findall(text)}
