"""A full disk, told as what it is."""

import errno
import shutil
from pathlib import Path
from typing import Final

from botyard.errors import InputError

_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_SCANT_BYTES: Final = 8_000_000


def no_room(error: OSError) -> bool:
    """Whether this is a full disk, a quota, or a limit on the size of files."""
    return error.errno in _NO_ROOM


def require_room(folder: Path, needed: int) -> None:
    """Make sure that the disk of a folder has so many bytes left.

    Raises:
        InputError: it has not.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        figures = f"{free // 1_000_000} MB, and {needed // 1_000_000} are needed"
        raise InputError(
            "STATE_DIR",
            f"there is no room left on the disk of {folder}: {figures}.",
            "Make room, or set STATE_DIR to a folder on another disk.",
        )


def room_is_scant(state: Path) -> bool:
    """Whether the disk of the folder is all but full."""
    return shutil.disk_usage(state).free < _SCANT_BYTES


def full_disk(state: Path) -> InputError:
    """What to say about it."""
    problem = f"there is no room left on the disk of {state}."
    return InputError("STATE_DIR", problem, "Make room, then start again; nothing was damaged.")
