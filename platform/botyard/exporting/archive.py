"""A bot in a zip: a file of JSON lines for each table, and a manifest that says what they are."""

import zipfile
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import IO, Final

import orjson

from botyard import __version__
from botyard.errors import InputError
from botyard.exporting import people_table
from botyard.exporting.parts import BOT, PARTS, counting, reading
from botyard.exporting.snapshot import Snapshot, snapshot
from botyard.telemetry.redaction import redact

FORMAT: Final = "botyard.bot"
VERSION: Final = 1
MANIFEST: Final = "manifest.json"
_STEP: Final = 1000
_LEVEL: Final = 6

Progress = Callable[[int, int], None]
"""Called with the number of lines that are written, and that of all."""


def write_archive(customer_id: int, bot_id: int, target: IO[bytes], progress: Progress) -> dict[str, int]:
    """Write everything that is kept of a bot, but its secrets, as it is at one moment.

    Args:
        customer_id: whose bot it is.
        bot_id: its row.
        target: where the zip goes; seekable or not.
        progress: is told from time to time.

    Returns:
        How many lines each file has.

    Raises:
        InputError: there is no such bot of this customer.
    """
    values = {"bot": bot_id}
    with snapshot(customer_id) as seen, zipfile.ZipFile(
        target, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL
    ) as archive:  # fmt: skip
        bot = seen.one(BOT, values)
        if bot is None:
            raise InputError("bot", "is not here any more.", "See `botyard bot list`.")
        counts = {part: int(seen.one(counting(part), values)) for part in PARTS}
        archive.writestr(MANIFEST, _manifest(bot, counts))
        archive.writestr("bot.json", redact(bot))
        steps = _Steps(progress, sum(counts.values()))
        for part in PARTS:
            lines = steps.counted(seen.lines(reading(part), values))
            _write(archive, f"{part}.jsonl", (redact(line).encode() + b"\n" for line in lines))
        _write(archive, "users.csv", people_table.rows(_people(seen, bot_id)))
        steps.over()
    return counts


def _manifest(bot: str, counts: dict[str, int]) -> bytes:
    told = orjson.loads(bot)
    return orjson.dumps(
        {
            "format": FORMAT, "version": VERSION, "botyard": __version__, "at": datetime.now(UTC),
            "bot": {"telegramId": told["telegramId"], "username": told["username"]},
            "lines": {f"{part}.jsonl": count for part, count in counts.items()},
        },
        option=orjson.OPT_INDENT_2,
    )  # fmt: skip


def _people(seen: Snapshot, bot_id: int) -> Iterator[str]:
    return seen.lines(reading("users"), {"bot": bot_id})


def _write(archive: zipfile.ZipFile, name: str, lines: Iterable[bytes]) -> None:
    with archive.open(name, "w", force_zip64=True) as file:
        for line in lines:
            file.write(line)


class _Steps:
    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def counted(self, lines: Iterable[str]) -> Iterator[str]:
        for line in lines:
            yield line
            self._done += 1
            if self._done % _STEP == 0:
                self._progress(self._done, self._total)

    def over(self) -> None:
        self._progress(self._total, self._total)
