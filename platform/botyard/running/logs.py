"""What the processes of `botyard run` have written, from the files that the supervisor keeps in the state folder."""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

Level = Literal["debug", "info", "warning", "error"]
LEVELS: Final[tuple[Level, ...]] = ("debug", "info", "warning", "error")

_FOLLOW_SECONDS: Final = 0.2
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


def read(folder: Path, wanted: Wanted) -> list[Line]:
    """The wanted lines that are there, of all processes together, in the order of their times."""
    found: list[Line] = []
    for name in processes(folder):
        if wanted.process in (None, name):
            for path in (folder / f"{name}.log.1", folder / f"{name}.log"):
                found += [line for line in joined(name, _text(path).splitlines()) if wanted.take(line)]
    return sorted(found, key=lambda line: line.at or 0.0)


def follow(folder: Path, wanted: Wanted) -> Iterator[Line]:
    """Whatever is written from now on, without end; a file that is begun anew is read from its start."""
    places = {name: _place(folder / f"{name}.log") for name in processes(folder)}
    while True:
        time.sleep(_FOLLOW_SECONDS)
        for name in processes(folder):
            if wanted.process not in (None, name):
                continue
            path = folder / f"{name}.log"
            number, offset = places.get(name, (0, 0))
            present, size = _place(path)
            fresh = _complete(path, offset if present == number and size >= offset else 0)
            places[name] = (present, fresh[1])
            yield from (line for line in joined(name, fresh[0].splitlines()) if wanted.take(line))


def _place(path: Path) -> tuple[int, int]:
    """Which file it is, and how long."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return 0, 0
    return found.st_ino, found.st_size


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


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""


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
    if text.startswith("{"):
        try:
            record = json.loads(text)
            at = datetime.fromisoformat(str(record["timestamp"]))
            return at.timestamp(), _NAMES.get(str(record.get("level", "")).lower(), "info")
        except (ValueError, KeyError, TypeError):
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


_BOT: Final = re.compile(r"""(?:\bbot|\btelegram_id)["']?[=:] ?["']?(\d+)""")


def _bots_of(text: str) -> set[int]:
    return {int(number) for number in _BOT.findall(text)}
