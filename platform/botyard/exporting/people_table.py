"""The people of a bot as a table for spreadsheets."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import orjson

COLUMNS: Final = (
    "userId", "username", "firstName", "lastName", "languageCode", "language", "isPremium", "tags", "attributes",
    "firstSeen", "lastSeen",
)  # fmt: skip
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_MARK: Final = "'"


def rows(people: Iterable[str]) -> Iterator[bytes]:
    """The lines of the table, its header first.

    Args:
        people: lines of JSON, as in ``users.jsonl``.
    """
    yield _line(COLUMNS)
    for one in people:
        person = orjson.loads(one)
        yield _line([_cell(person, column) for column in COLUMNS])


def harmless(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula: what begins like one gets a ``'`` before it."""
    return _MARK + cell if cell.startswith(_FORMULA) else cell


def _cell(person: Mapping[str, Any], column: str) -> str:
    value = person[column]
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(value)
    if isinstance(value, dict):
        return orjson.dumps(value).decode() if value else ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _line(cells: Iterable[str]) -> bytes:
    target = io.StringIO()
    csv.writer(target).writerow([harmless(cell) for cell in cells])
    return target.getvalue().encode()
