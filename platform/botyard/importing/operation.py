"""An import as an operation: a file that somebody has uploaded, taken by a worker."""

import time
from collections.abc import Mapping
from typing import IO, Any, Final

from botyard.errors import InputError
from botyard.importing.files import RecordFile
from botyard.importing.importer import run_import
from botyard.importing.people import Manner
from botyard.importing.report import Report
from botyard.importing.writing import Target
from botyard.media.store import MediaGone, operations_store_of
from botyard.operations import Wanted, Work, begin
from botyard.operations.work import PutOff
from botyard.settings import get_settings

IMPORT_BOT: Final = "bot.import"
_TICK_SECONDS: Final = 1.0
LARGEST: Final = 100 * 1024 * 1024
"""Of what is uploaded, as it is."""


def keep_file(content: IO[bytes]) -> str:
    """Keep an uploaded file where every worker finds it, for a week; its name there.

    Raises:
        TransientError: the place cannot be reached.
    """
    return operations_store_of(get_settings()).put(content).name


def begin_import(customer_id: int, bot_id: int, file: str, *, dry: bool, overwrite: bool) -> int:
    """Begin an import; see `botyard.operations.begin`.

    Args:
        customer_id: whose bot it is.
        bot_id: the bot's row.
        file: what `keep_file` gave.
        dry: only look what would be done.
        overwrite: what is here already and differs is replaced.

    Returns:
        The operation's number.
    """
    request = {"file": file, "dryRun": dry, "overwrite": overwrite}
    return begin(Wanted(IMPORT_BOT, customer_id, bot_id, request))


def import_bot(work: Work) -> dict[str, Any]:
    """Do an operation of the kind `IMPORT_BOT`, or the rest of one.

    Raises:
        InputError: its file cannot be read, or its time is over.
    """
    if work.customer_id is None or work.bot_id is None:
        raise InputError("bot", "is not said.")
    dry, overwrite = bool(work.request.get("dryRun")), bool(work.request.get("overwrite"))
    target = Target(work.bot_id, work.customer_id, dry, overwrite)
    # A file is read from its beginning each time, so what it leaves out is said anew; what was written is not.
    read, written = Report(), _written(work.report)

    begun, looked = work.done, time.monotonic()

    def tick() -> None:
        """Whether it is to end here is asked also where nothing is taken."""
        nonlocal looked
        if time.monotonic() - looked < _TICK_SECONDS:
            return
        looked = time.monotonic()
        try:
            work.advance(work.done)
        except PutOff:
            # The next slice would read the same again and come no further.
            if work.done > begun:
                raise

    def after_batch(handed: int) -> None:
        work.report = _told(read, written, dry=dry)
        work.advance(handed)

    with _opened(str(work.request["file"])) as file:
        run_import(RecordFile(file, read, Manner(), tick=tick), target, written, after_batch, work.done)
    return _told(read, written, dry=dry)


def _opened(name: str) -> IO[bytes]:
    try:
        return operations_store_of(get_settings()).open(name)
    except MediaGone:
        raise InputError("file", "is no longer kept.", "Upload it again.") from None


def _written(told: Mapping[str, Any]) -> Report:
    return Report.of({name: told[name] for name in ("counts", "kept") if name in told})


def _told(read: Report, written: Report, *, dry: bool) -> dict[str, Any]:
    report = Report()
    report.add(written)
    report.add(read)
    return {"dryRun": dry, **report.as_json()}
