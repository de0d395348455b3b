"""Which source somebody means."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from botyard.errors import InputError
from botyard.importing.aiogram import KeyBuilder, RedisStorage
from botyard.importing.archives import is_packed
from botyard.importing.files import RecordFile
from botyard.importing.items import Source
from botyard.importing.people import Manner
from botyard.importing.ptb import Options, PicklePersistence, is_multiple
from botyard.importing.report import Report

Form = Literal["pickle", "records"]

_ADDRESSES: Final = ("redis://", "rediss://", "unix://")
# Protocols 2 and up say their number first; a dictionary begins a pickle of protocol 0 or 1 so.
_PICKLES: Final = (b"\x80", b"(dp", b"}q\x00")
_BEGIN: Final = 6


@dataclass(frozen=True, slots=True)
class Given:
    """What is to be imported.

    Args:
        source: a path, or the address of a Redis.
        form: how the file is to be read; none: told by its beginning.
        modules: see `botyard.importing.ptb.Options`.
        columns: see `botyard.importing.people.Manner`.
        of_users: names of conversation handlers that have ``per_chat=False``.
        builder: how aiogram's keys are built.
    """

    source: str
    form: Form | None = None
    modules: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    of_users: frozenset[str] = frozenset()
    builder: KeyBuilder = field(default_factory=KeyBuilder)


def open_source(given: Given, telegram_id: int, report: Report, stack: ExitStack) -> Source:
    """The source that is meant.

    Args:
        given: which one, and how it is to be read.
        telegram_id: the number at Telegram of the bot that gets it.
        report: is told what is left out.
        stack: closes what is opened.

    Raises:
        InputError: there is no such file, or it is none that can be read.
    """
    if given.source.startswith(_ADDRESSES):
        return RedisStorage(given.source, given.builder, telegram_id, report)
    path = Path(given.source)
    if given.form == "pickle" or (given.form is None and is_multiple(path)):
        return PicklePersistence(path, report, Options(given.modules, given.of_users))
    try:
        file = stack.enter_context(path.open("rb"))
    except OSError as error:
        raise InputError("source", f"cannot be opened: {error.strerror}.", "Give the path of a file.") from None
    begin = file.read(_BEGIN)
    if given.form is None and begin.startswith(_PICKLES) and not is_packed(begin):
        return PicklePersistence(path, report, Options(given.modules, given.of_users))
    return RecordFile(file, report, Manner(given.columns, given.of_users, trusted=True), path.name)
