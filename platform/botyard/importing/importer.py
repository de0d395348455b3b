"""An import from its source to the report: in batches, from where an earlier one was interrupted."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from botyard.importing.items import Carried, Item, Person, Remembered, Source, Unreachable
from botyard.importing.report import Report
from botyard.importing.writing import Target, Writer

_BATCH: Final = 500
_BATCH_BYTES: Final = 4 * 1024 * 1024


def run_import(
    source: Source, target: Target, report: Report, after_batch: Callable[[int], None], done: int = 0
) -> Report:
    """Import everything that a source has, or only look what that would do.

    It may be killed at any moment and done again: what is here already is left as it is.

    Args:
        source: where things are read from, in the same order each time.
        target: into which bot, and how.
        report: what is said of it; the source says to it what it leaves out.
        after_batch: called with how many things were handed on so far, when these are committed; what it raises ends
            the import there.
        done: how many of them an earlier import has handed on.

    Returns:
        The report.

    Raises:
        InputError: the source cannot be read.
        BotGone: the bot was removed.
    """
    writer = Writer(target, report)
    handed = 0
    for batch in _batches(source.items()):
        handed += len(batch)
        if handed <= done:
            continue
        writer.write(batch)
        after_batch(handed)
    return report


def _batches(items: Iterator[Item]) -> Iterator[list[Item]]:
    """Some at a time, none of which is about the same row as another."""
    batch: list[Item] = []
    keys: set[Any] = set()
    size = 0
    for item in items:
        key, weight = _key(item)
        if batch and (key in keys or len(batch) >= _BATCH or size + weight > _BATCH_BYTES):
            yield batch
            batch, keys, size = [], set(), 0
        batch.append(item)
        keys.add(key)
        size += weight
    if batch:
        yield batch


def _key(item: Item) -> tuple[Any, int]:
    """Which row it is about, and about how large it is."""
    match item:
        case Person():
            return ("person", item.user_id), 200
        case Remembered():
            return (item.scope, item.key), len(item.state)
        case Unreachable():
            return ("unreachable", item.chat_key), 50
        case Carried():
            return ("buttons", item.number), len(item.buttons)
