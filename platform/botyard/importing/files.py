"""A file of records as a source: JSON, JSON lines, CSV, or a zip of these."""

import io
import os
from collections.abc import Callable, Iterator
from typing import IO, Final

from botyard.errors import InputError
from botyard.importing.archives import Borrowed, entries, is_archive, is_packed
from botyard.importing.documents import records_of
from botyard.importing.items import Item
from botyard.importing.people import Manner, Reader
from botyard.importing.report import Report

_BEGIN: Final = 6


class RecordFile:
    """People, chats and memory from a file.

    Args:
        file: at its beginning, and seekable.
        report: is told what is left out.
        manner: how records are read.
        name: how paths call it.
        tick: called often while it is read, also if nothing in it is taken; what it raises ends the reading.
    """

    def __init__(
        self,
        file: IO[bytes],
        report: Report,
        manner: Manner,
        name: str = "file",
        tick: Callable[[], None] | None = None,
    ) -> None:
        self._file = file
        self._size = max(1, file.seek(0, os.SEEK_END))
        file.seek(0)
        self._report = report
        self._name, self._tick = name, tick
        self._reader = Reader(report, manner)

    def share(self) -> float | None:
        """How much of it was read."""
        return None if self._file.closed else min(1.0, self._file.tell() / self._size)

    def items(self) -> Iterator[Item]:
        """Whatever it says.

        Raises:
            InputError: it cannot be read from some place on.
        """
        self._file.seek(0)
        begin = self._file.read(_BEGIN)
        self._file.seek(0)
        if is_archive(begin):
            for name, entry in entries(self._file, self._size):
                yield from self._of_one(entry, name)
        elif is_packed(begin):
            raise InputError("file", "is packed in a way that is not taken.", "Give it as a zip, or unpacked.")
        else:
            yield from self._of_one(self._file, self._name)

    def _of_one(self, file: IO[bytes], name: str) -> Iterator[Item]:
        stream = io.BufferedReader(Borrowed(file, tick=self._tick))
        for path, record, is_row in records_of(stream, name, self._report):
            if not is_row:
                yield from self._reader.items(record, path)
            elif self._reader.is_export:
                self._report.note("the table of an export, whose people stand in its other files too", name)
                return
            else:
                yield from self._reader.row(record, path)
