"""An export as an operation: its file is kept for a week, where every web process finds it."""

import tempfile
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import IO, Any, Final

from botyard.errors import InputError
from botyard.exporting.archive import write_archive
from botyard.media.store import MediaGone, operations_store_of
from botyard.operations import Work
from botyard.operations.reading import Filter, latest
from botyard.settings import get_settings
from db.models import Operation

EXPORT_BOT: Final = "bot.export"
KEPT: Final = timedelta(days=7)
_MOST_OPERATIONS: Final = 10_000


def export_bot(work: Work) -> dict[str, Any]:
    """Do an operation of the kind `EXPORT_BOT`; begun anew it makes another file.

    Raises:
        InputError: the bot is gone.
    """
    if work.customer_id is None or work.bot_id is None:
        raise InputError("bot", "is not said.", "")
    with tempfile.TemporaryFile() as target:
        counts = write_archive(work.customer_id, work.bot_id, target, work.advance)
        target.seek(0)
        kept = operations_store_of(get_settings()).put(target)
    until = datetime.now(UTC) + KEPT
    return {"file": kept.name, "bytes": kept.size, "lines": counts, "until": until.isoformat()}


def exported(operation: Operation) -> IO[bytes]:
    """The file that an export has made, to be read and closed.

    Raises:
        MediaGone: it has made none, or its time is over.
    """
    made = (operation.result or {}).get("file")
    if operation.kind != EXPORT_BOT or operation.state != "done" or not isinstance(made, str):
        raise MediaGone("")
    return operations_store_of(get_settings()).open(made)


def forget_files() -> int:
    """Delete files of operations whose time is over; how many that were."""
    store, seconds = operations_store_of(get_settings()), KEPT.total_seconds()
    return sum(store.remove(name, seconds) for name in list(store.unused(seconds)))


def under_way(customer_id: int, bots: Collection[int] | None) -> list[int]:
    """Exports that run right now, by their numbers.

    Args:
        customer_id: whose.
        bots: of which bots; none: of all that the customer has and had.
    """
    running = Filter(customer_id=customer_id, bots=bots, kind=EXPORT_BOT, state="running")
    return [row.id for row in latest(running, _MOST_OPERATIONS)]


def forget_files_of(customer_id: int, bots: Collection[int] | None) -> int:
    """Take away the files that operations of these bots have made or read, for somebody in them is to be forgotten.

    What one that is not over yet still reads stays.

    Args:
        customer_id: whose.
        bots: of which bots; none: of all that the customer has and had.

    Returns:
        How many files that were.
    """
    rows = latest(Filter(customer_id=customer_id, bots=bots), _MOST_OPERATIONS)
    needed = {row.request.get("file") for row in rows if row.finished_at is None}
    over = [row for row in rows if row.finished_at is not None]
    files = {told.get("file") for row in over for told in (row.request, row.result or {})}
    store = operations_store_of(get_settings())
    return sum(store.remove(name, 0) for name in files - needed if isinstance(name, str))
