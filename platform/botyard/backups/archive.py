"""The file of a backup: a dump, the mailboxes, and what both should be; as a whole readable by its owner only."""

import hashlib
import hmac
import os
import tarfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from botyard.backups.errors import NotProven
from botyard.backups.tables import Contents

DUMP: Final = "database.dump"
MAILBOXES: Final = "mailboxes.jsonl"
_MANIFEST: Final = "manifest.json"
_FORMAT: Final = "botyard.backup"
_VERSION: Final = 1
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup should be.

    Args:
        made_at: the moment of its snapshot.
        migration: of the database.
        server: PostgreSQL's version.
        tables: what is in each.
        waiting: how many updates wait in the mailboxes.
        files: the SHA-256 of each file.
    """

    made_at: str
    migration: str
    server: int
    tables: Contents
    waiting: int
    files: dict[str, str]


def pack(folder: Path, to: Path, manifest: Manifest) -> str:
    """Make one file of a folder; its SHA-256. It has its name only once it is whole and on the disk."""
    said = {"format": _FORMAT, "version": _VERSION, **asdict(manifest)}
    (folder / _MANIFEST).write_bytes(orjson.dumps(said))
    draft = to.with_suffix(".part")
    draft.touch(mode=0o600)
    with tarfile.open(draft, "w") as made:
        for name in (_MANIFEST, DUMP, MAILBOXES):
            made.add(folder / name, name)
    with draft.open("rb+") as written:
        os.fsync(written.fileno())
    digest = sha256_of(draft)
    draft.replace(to)
    return digest


def unpack(file: Path, into: Path, digest: str | None = None) -> Manifest:
    """Unpack a backup, and look whether each part is what it should be.

    Raises:
        NotProven: it is not.
    """
    if digest is not None and not hmac.compare_digest(sha256_of(file), digest):
        raise NotProven("The file is not what was written: its SHA-256 differs.")
    try:
        with tarfile.open(file) as packed:
            for name in (_MANIFEST, DUMP, MAILBOXES):
                packed.extract(name, into, filter="data")
        said: dict[str, Any] = orjson.loads((into / _MANIFEST).read_bytes())
    except OSError as error:
        raise NotProven(f"{file} cannot be read: {error.strerror}.") from None
    except (tarfile.TarError, KeyError, orjson.JSONDecodeError, EOFError) as error:
        raise NotProven(f"The file is no whole backup: {type(error).__name__}.") from None
    if said.pop("format", None) != _FORMAT or said.pop("version", None) != _VERSION:
        raise NotProven("The file is no backup of Botyard, or of a newer one.")
    try:
        manifest = Manifest(**said)
    except TypeError:
        raise NotProven("Its manifest is not complete.") from None
    for name, expected in manifest.files.items():
        if sha256_of(into / name) != expected:
            raise NotProven(f"{name} is not what was written: its SHA-256 differs.")
    return manifest


def sha256_of(file: Path) -> str:
    """The SHA-256 of a file, as hexadecimal digits."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
