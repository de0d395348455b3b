"""Files: where their bytes lie, and the ids by which bots know them."""

import base64
import binascii
import re
from pathlib import Path
from typing import Any

BOT_ID = re.compile(r"[0-9]{1,19}")
VAULT_LIMIT = 512 << 20
"""Bytes that are kept; beyond them the oldest files lose theirs."""


class Vault:
    """The bytes of files, by ``file_unique_id``. Bounded: what was put in first is dropped first.

    Args:
        folder: where they are kept over restarts; without one they are kept in memory.
        limit: bytes kept in all.
    """

    def __init__(self, folder: Path | None = None, limit: int = VAULT_LIMIT) -> None:
        self._folder = folder
        self._limit = limit
        self._held: dict[str, bytes] = {}
        self._sizes: dict[str, int] = {}
        if folder and folder.exists():
            found = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)
            self._sizes = {path.name: path.stat().st_size for path in found}
        self._total = sum(self._sizes.values())

    def put(self, unique_id: str, content: bytes) -> None:
        """Keep the bytes of a file."""
        self._drop(unique_id)
        while self._sizes and self._total + len(content) > self._limit:
            self._drop(next(iter(self._sizes)))
        if self._folder:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            (self._folder / unique_id).write_bytes(content)
        else:
            self._held[unique_id] = content
        self._sizes[unique_id] = len(content)
        self._total += len(content)

    def get(self, unique_id: str) -> bytes | None:
        """Return the bytes of a file, unless they were dropped."""
        if unique_id not in self._sizes:
            return None
        if not self._folder:
            return self._held[unique_id]
        try:
            return (self._folder / unique_id).read_bytes()
        except FileNotFoundError:
            return None

    def _drop(self, unique_id: str) -> None:
        self._total -= self._sizes.pop(unique_id, 0)
        self._held.pop(unique_id, None)
        if self._folder:
            (self._folder / unique_id).unlink(missing_ok=True)


def file_id(bot_id: int, unique_id: str) -> str:
    """Return the id by which one bot knows a file: every bot has its own."""
    return base64.urlsafe_b64encode(f"{bot_id}:{unique_id}".encode()).rstrip(b"=").decode()


def read_file_id(text: str) -> tuple[int, str] | None:
    """Return bot and ``file_unique_id`` of an id made by :func:`file_id`, or nothing when it is something else."""
    try:
        bot_id, colon, unique_id = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return (int(bot_id), unique_id) if colon and BOT_ID.fullmatch(bot_id) else None


def signed(value: Any, bot_id: int) -> Any:
    """Return a copy of some content in which every file has the ``file_id`` of one bot."""
    if isinstance(value, dict):
        shown = {name: signed(inner, bot_id) for name, inner in value.items()}
        if "file_unique_id" in shown:
            shown["file_id"] = file_id(bot_id, shown["file_unique_id"])
        return shown
    if isinstance(value, list):
        return [signed(inner, bot_id) for inner in value]
    return value
