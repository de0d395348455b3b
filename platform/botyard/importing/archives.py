"""Zip archives of people whom nobody knows: read in a stream, with limits, and nothing of them reaches a disk.

The names in them are not used for anything but what a report says.
"""

import io
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, TYPE_CHECKING, BinaryIO, Final

from botyard.errors import InputError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MOST_UNPACKED: Final = 200 * 1024 * 1024
MOST_ENTRIES: Final = 10_000
MOST_RATIO: Final = 100
_FREE: Final = 1024 * 1024
"""So much may be unpacked of however small an archive."""
_LARGEST_DIRECTORY: Final = 4 * 1024 * 1024
_DIRECTORY_SIZE: Final = 5
_ENTRIES: Final = 4
_PACKED: Final = (
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"\x1f\x8b",
    b"BZh",
    b"\xfd7zXZ",
    b"7z\xbc\xaf",
    b"Rar!",
    b"\x28\xb5\x2f\xfd",
)
_LONGEST_MAGIC: Final = 6
_REMEDY: Final = "Pack nothing but the JSON and CSV files themselves."
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def is_archive(begin: bytes) -> bool:
    """Whether a file that begins so is a zip."""
    return begin.startswith(_PACKED[:2])


def is_packed(begin: bytes) -> bool:
    """Whether a file that begins so is packed in any way."""
    return begin.startswith(_PACKED)


class Allowance:
    """How much may still be unpacked.

    Args:
        packed: the size of what is unpacked.
    """

    def __init__(self, packed: int) -> None:
        self._left = min(MOST_UNPACKED, max(_FREE, MOST_RATIO * packed))

    def take(self, size: int) -> None:
        """So much more was unpacked.

        Raises:
            InputError: it is too much.
        """
        self._left -= size
        if self._left < 0:
            problem = f"unpacks to more than {MOST_UNPACKED >> 20} MiB, or to more than {MOST_RATIO} times its size."
            raise InputError("file", problem, "Import it in parts.")


class Borrowed(io.RawIOBase):
    """A file that somebody else closes, as it is read from here on.

    Args:
        file: of which only ``read`` is used.
        allowance: what is read counts against it.
        tick: called for each piece; what it raises ends the reading.
    """

    def __init__(
        self, file: IO[bytes], allowance: Allowance | None = None, tick: Callable[[], None] | None = None
    ) -> None:
        self._file, self._allowance, self._tick = file, allowance, tick

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """The next bytes.

        Raises:
            InputError: that is more than may be unpacked.
        """
        if self._tick is not None:
            self._tick()
        view = memoryview(buffer).cast("B")
        found = self._file.read(len(view))
        if self._allowance is not None:
            self._allowance.take(len(found))
        view[: len(found)] = found
        return len(found)


def entries(file: IO[bytes], size: int) -> Iterator[tuple[str, BinaryIO]]:
    """The files of an archive, each with the name that reports use; each is to be read before the next one.

    Args:
        file: the archive, seekable.
        size: its bytes.

    Raises:
        InputError: it is no zip, too large unpacked, or has in it what is not taken.
    """
    _check_directory(file)
    allowance = Allowance(size)
    try:
        with zipfile.ZipFile(file) as archive:
            for number, info in enumerate(archive.infolist(), 1):
                if info.is_dir():
                    continue
                _check(info, number)
                with archive.open(info) as entry:
                    measured = io.BufferedReader(Borrowed(entry, allowance))
                    if is_packed(measured.peek(_LONGEST_MAGIC)[:_LONGEST_MAGIC]):
                        raise InputError("file", f"has an archive in it (entry {number}).", _REMEDY)
                    yield f"entry {number}", measured
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        raise InputError(
            "file", f"cannot be unpacked ({type(error).__name__}).", "It is no zip, or not whole."
        ) from None


def _check_directory(file: IO[bytes]) -> None:
    """Before anybody reads it: a directory of millions of entries would be held in memory at once."""
    try:
        # What ZipFile itself goes by; private in Python 3.11, and a test holds it to this shape.
        found = zipfile._EndRecData(file)  # type: ignore[attr-defined]  # noqa: SLF001
    except OSError:
        found = None
    if not found:
        raise InputError("file", "cannot be unpacked: it is no zip, or not whole.", "Upload it again.")
    if found[_ENTRIES] > MOST_ENTRIES or found[_DIRECTORY_SIZE] > _LARGEST_DIRECTORY:
        raise InputError("file", f"has more than {MOST_ENTRIES} entries.", "Put more records into each file.")


def _check(info: zipfile.ZipInfo, number: int) -> None:
    if number > MOST_ENTRIES:
        raise InputError("file", f"has more than {MOST_ENTRIES} entries.", "Put more records into each file.")
    if info.flag_bits & 0x1:
        raise InputError("file", f"is encrypted (entry {number}).", "Pack it without a password.")
    if stat.S_ISLNK(info.external_attr >> 16):
        raise InputError("file", f"has a link in it (entry {number}).", _REMEDY)
    if info.compress_type not in _METHODS:
        raise InputError("file", f"is packed in an unusual way (entry {number}).", "Pack it as a plain zip (deflate).")
