"""Where the content of files lies between a handler's call and its delivery. See docs/delivery.md.

Content is named by its SHA-256, so the same file is kept once, whoever sends it and however often.
"""

import contextlib
import fcntl
import os
import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO, Final, Protocol

from botyard.errors import InputError, PermanentError
from botyard.settings import Settings

_CHUNK: Final = 1 << 20
_NAME: Final = re.compile(r"[0-9a-f]{64}")
_UNFINISHED: Final = "unfinished-"
_LARGEST_OF_OPERATIONS: Final = 4 << 30


class MediaGone(PermanentError):
    """The content is not kept any longer, or never was.

    Args:
        name: its SHA-256.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"the content {self.name[:12]}… is no longer kept"


@dataclass(frozen=True, slots=True)
class Kept:
    """Content that is kept.

    Args:
        name: its SHA-256 in hexadecimal digits.
        size: its bytes.
    """

    name: str
    size: int


class MediaStore(Protocol):
    """A place for content. Every method may wait for a disk or a network: call them in a thread."""

    def put(self, content: bytes | IO[bytes]) -> Kept:
        """Keep content; when this returns, it outlives a crash. What is kept already counts as used now.

        Raises:
            InputError: it is larger than ``MEDIA_MAX_BYTES``.
        """

    def open(self, name: str) -> IO[bytes]:
        """A file at its beginning, to be read piece by piece and closed.

        Raises:
            MediaGone: there is no such content.
        """

    def unused(self, seconds: float) -> Iterator[str]:
        """What was put for the last time longer than this ago."""

    def remove(self, name: str, seconds: float) -> bool:
        """Delete content, unless it was put again within this time; whether it is gone."""


class FolderStore:
    """Content in a folder that all processes share: ``ab/cd/abcd…``, and its last use is the file's time.

    Args:
        folder: made when it is first needed.
        most: bytes of one content at most.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self._folder = folder
        self._most = most

    def put(self, content: bytes | IO[bytes]) -> Kept:
        """See ``MediaStore``."""
        if isinstance(content, bytes):
            check_size(len(content), self._most)
            kept = Kept(sha256(content).hexdigest(), len(content))
            if self._touch(kept.name):
                return kept
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        number, unfinished = tempfile.mkstemp(prefix=_UNFINISHED, dir=self._folder)
        try:
            with os.fdopen(number, "wb") as target:
                kept = copied(content, target, self._most)
                target.flush()
                os.fsync(target.fileno())
            self._place(Path(unfinished), self._path(kept.name))
        finally:
            Path(unfinished).unlink(missing_ok=True)
        return kept

    def open(self, name: str) -> IO[bytes]:
        """See ``MediaStore``."""
        try:
            return self._path(name).open("rb")
        except FileNotFoundError:
            raise MediaGone(name) from None

    def unused(self, seconds: float) -> Iterator[str]:
        """See ``MediaStore``; removes what crashed processes left unfinished."""
        before = time.time() - seconds
        for unfinished in self._folder.glob(f"{_UNFINISHED}*"):
            with contextlib.suppress(FileNotFoundError):
                if unfinished.stat().st_mtime < before:
                    unfinished.unlink()
        for path in self._folder.glob("??/??/*"):
            with contextlib.suppress(FileNotFoundError):
                if _NAME.fullmatch(path.name) and path.stat().st_mtime < before:
                    yield path.name

    def remove(self, name: str, seconds: float) -> bool:
        """See ``MediaStore``."""
        path = self._path(name)
        with self._locked():
            try:
                if path.stat().st_mtime >= time.time() - seconds:
                    return False
                path.unlink()
            except FileNotFoundError:
                return True
        return True

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise MediaGone(name)
        return self._folder / name[:2] / name[2:4] / name

    def _touch(self, name: str) -> bool:
        if not self._path(name).exists():
            return False
        with self._locked():
            try:
                os.utime(self._path(name))
            except FileNotFoundError:
                return False
        return True

    def _place(self, unfinished: Path, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._locked():
            unfinished.replace(path)
        # A file is there after a crash only if the folders say so on the disk.
        for folder in (path.parent, path.parent.parent, self._folder):
            opened = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(opened)
            finally:
                os.close(opened)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Nobody removes what somebody else has just found to be kept."""
        with (self._folder / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def copied(content: bytes | IO[bytes], target: IO[bytes], most: int) -> Kept:
    """Copy content, and take its measure on the way.

    Raises:
        InputError: it has more than ``most`` bytes.
    """
    digest, size = sha256(), 0
    for piece in _pieces(content):
        size += len(piece)
        check_size(size, most)
        digest.update(piece)
        target.write(piece)
    return Kept(digest.hexdigest(), size)


def check_size(size: int, most: int) -> None:
    """Refuse content that is too large.

    Raises:
        InputError: it is.
    """
    if size > most:
        remedy = "Send a smaller file, or raise MEDIA_MAX_BYTES; Telegram itself takes 50 MB from a bot."
        raise InputError("MEDIA_MAX_BYTES", f"a file to be sent is larger than {most} bytes.", remedy)


def _pieces(content: bytes | IO[bytes]) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    while piece := content.read(_CHUNK):
        yield piece


def store_of(settings: Settings) -> MediaStore:
    """The store of this installation: a bucket if ``MEDIA_S3_URL`` is set, else a folder.

    Raises:
        InputError: a setting of the bucket is missing, or its library.
    """
    return _place_of(settings, settings.media_folder, "media", settings.media_max_bytes)


def operations_store_of(settings: Settings) -> MediaStore:
    """The store for files that operations make or read; in the same place, and apart from what is sent.

    Raises:
        InputError: as `store_of`.
    """
    return _place_of(settings, settings.media_folder / "operations", "operations", _LARGEST_OF_OPERATIONS)


def _place_of(settings: Settings, folder: Path, name: str, most: int) -> MediaStore:
    if settings.media_s3_url is None:
        return FolderStore(folder, most)
    bucket = settings.require("media_s3_bucket")
    access_key, secret_key = settings.require("media_s3_access_key"), settings.require("media_s3_secret_key")
    # Loaded only where it is used: an installation with a folder needs no client of a bucket.
    from botyard.media.bucket import BucketStore  # noqa: PLC0415

    return BucketStore(settings.media_s3_url, bucket, access_key, secret_key, settings.media_s3_region, most, name)
