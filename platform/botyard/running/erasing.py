"""Removing what `botyard run` has kept in a state folder, and nothing else that may lie there."""

import contextlib
import json
import shutil
from pathlib import Path
from typing import Final

from botyard.errors import InputError
from botyard.supervisor import StateFolder

_SECRETS: Final = "secrets.json"
# The secrets go last, but for the lock: while they are there, the folder is known as ours and can be erased again.
_OURS: Final = (
    "postgres", ".postgres-new-*", "valkey", "logs", "ready", "simulator.json", "simulator.json.new",
    "simulator.json.good", "simulator.json.good.new", "simulator.json.files", "own_bot.json", "own_bot.new",
    "environment.json", "environment.json.new", "status.json", "status.json.new",
    "format", "format.new", "secrets.new", _SECRETS, "lock",
)  # fmt: skip


def is_ours(state: Path) -> bool:
    """Whether `botyard run` has made its secrets in this folder."""
    try:
        found = json.loads((state / _SECRETS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and {"secret_key", "postgres_password"} <= set(found)


def erase_state(state: Path) -> list[str]:
    """Remove everything of ours, and the folder itself if nothing else is in it.

    Returns:
        the names of what is there and not ours.

    Raises:
        InputError: a run uses the folder, or something cannot be removed; then it can be done again.
    """
    with StateFolder(state) as folder:
        for pattern in _OURS:
            for path in folder.path.glob(pattern):
                _remove(path)
        with contextlib.suppress(OSError):
            folder.path.rmdir()
        return sorted(path.name for path in folder.path.glob("*"))


def _remove(path: Path) -> None:
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            "STATE_DIR",
            f"{error.filename or path} cannot be removed ({error.strerror}).",
            "Remove it as its owner, then do this again.",
        ) from None
