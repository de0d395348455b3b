"""JSON, JSON lines and CSV, read piece by piece: a record at a time, whatever the size of the file."""

import csv
import io
import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from botyard.errors import InputError
from botyard.importing.report import Report

LARGEST_RECORD: Final = 10 * 1024 * 1024
"""As text; a row of memory may have 8 MiB."""
_LARGEST_CELL: Final = 1024 * 1024
_PIECE: Final = 1 << 16
_NOTHING: Final = object()
_BLANK: Final = " \t\r\n"
_BLANKS: Final = re.compile(r"[ \t\r\n]*")
_GUARDED: Final = re.compile(r"'[=+\-@\t\r]")
_LONG: Final = f"a record of more than {LARGEST_RECORD // (1024 * 1024)} MiB"

Record = tuple[str, Any, bool]
"""Where it stands, what it holds, and whether it is the row of a table."""


def records_of(stream: BinaryIO, name: str, report: Report) -> Iterator[Record]:
    """The records of a file: the values of a JSON list, the lines of JSON lines, or the rows of a CSV table.

    Args:
        stream: the file, from its beginning; it is read once and needs not be seekable.
        name: how paths call it.
        report: is told which records cannot be read.

    Raises:
        InputError: it cannot be read from some place on.
    """
    text = io.TextIOWrapper(stream, "utf-8-sig", errors="replace", newline="")
    begin = _first_piece(text)
    first = begin[:1]
    if first == "[":
        yield from _of_list(text, begin[1:], name)
    elif first == "{":
        yield from _of_lines(text, begin, name, report)
    elif first:
        yield from _of_table(text, begin, name, report)


def _first_piece(text: io.TextIOWrapper) -> str:
    """The beginning without blanks before it."""
    while piece := text.read(_PIECE):
        if stripped := piece.lstrip(_BLANK):
            return stripped
    return ""


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


_DECODER: Final = json.JSONDecoder(parse_constant=_no_number)


def _of_list(text: io.TextIOWrapper, begin: str, name: str) -> Iterator[Record]:
    rest, at, number = begin, 0, 0
    ended = False
    while True:
        at = _past_blanks(rest, at)
        if rest.startswith("]", at):
            return
        found = _begun(rest, at)
        # A number may go on in the next piece.
        if found is None or (found[1] == len(rest) and not ended):
            # Cut only here: for each value it would be copied again and again.
            rest, at = rest[at:], 0
            piece = text.read(max(_PIECE, len(rest)))
            ended = not piece
            if ended or len(rest) > LARGEST_RECORD:
                raise InputError(
                    f"{name}[{number}]", "cannot be read as JSON.", "Nothing behind it was read."
                ) from None
            rest += piece
            continue
        value, at = found
        yield f"{name}[{number}]", value, False
        number += 1
        rest, at = _behind(text, rest, at, f"{name}[{number}]")


def _begun(text: str, at: int) -> tuple[Any, int] | None:
    """The value that begins at a place of a text, and where it ends; nothing if it is not whole."""
    try:
        return _DECODER.raw_decode(text, at)
    except (ValueError, RecursionError):
        return None


def _past_blanks(text: str, at: int) -> int:
    found = _BLANKS.match(text, at)
    return at if found is None else found.end()


def _behind(text: io.TextIOWrapper, rest: str, at: int, where: str) -> tuple[str, int]:
    """The text, and where it goes on behind a value of a list and its comma; the end of the list stays."""
    while (at := _past_blanks(rest, at)) == len(rest):
        rest, at = text.read(_PIECE), 0
        if not rest:
            raise InputError(where, "is not there: the list has no end.", "The file is not whole.")
    if rest[at] == "]":
        return rest, at
    if rest[at] != ",":
        raise InputError(where, "has no comma before it.", "The file is no JSON.")
    return rest, at + 1


def _of_lines(text: io.TextIOWrapper, begin: str, name: str, report: Report) -> Iterator[Record]:
    if _decoded(begin.split("\n", 1)[0]) is _NOTHING:
        # Perhaps it is one value over several lines.
        begin += text.read(LARGEST_RECORD)
        if (value := _decoded(begin)) is not _NOTHING:
            yield f"{name}:1", value, False
            return
    for number, line in enumerate(_lines(text, begin), 1):
        where = f"{name}:{number}"
        if line is None:
            report.skip(_LONG, where)
        elif line.strip():
            value = _decoded(line)
            if value is _NOTHING:
                report.skip("a line that is no JSON", where)
            else:
                yield where, value, False


def _decoded(text: str) -> Any:
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError):
        return _NOTHING


def _lines(text: io.TextIOWrapper, piece: str) -> Iterator[str | None]:
    """Each line; None for one that is too long."""
    held: list[str] = []
    size, long = 0, False
    while piece:
        *lines, last = piece.split("\n")
        for line in lines:
            if not long:
                yield "".join([*held, line])
            held, size, long = [], 0, False
        if not long:
            held.append(last)
            size += len(last)
        if size > LARGEST_RECORD:
            yield None
            held, size, long = [], 0, True
        piece = text.read(_PIECE)
    if size:
        yield "".join(held)


def _of_table(text: io.TextIOWrapper, begin: str, name: str, report: Report) -> Iterator[Record]:
    csv.field_size_limit(_LARGEST_CELL)
    header_line = begin.split("\n", 1)[0]
    delimiter = max(",;\t", key=header_line.count)
    rows = csv.reader(_table_lines(text, begin), delimiter=delimiter)
    try:
        header = next(rows)
        for row in rows:
            where = f"{name}:{rows.line_num}"
            if len(row) > len(header):
                report.skip("a row with more cells than there are columns", where)
            elif any(row):
                yield where, {one.strip(): _unguarded(cell) for one, cell in zip(header, row, strict=False)}, True
    except csv.Error as error:
        raise InputError(
            f"{name}:{rows.line_num}", f"cannot be read as CSV: {error}.", "Nothing behind it was read."
        ) from None


def _table_lines(text: io.TextIOWrapper, begin: str) -> Iterator[str]:
    for line in _lines(text, begin):
        if line is None:
            raise csv.Error("a line is too long")
        yield line + "\n"


def _unguarded(cell: str) -> str:
    """A cell without the mark that keeps spreadsheets from taking it for a formula."""
    return cell[1:] if _GUARDED.match(cell) else cell
