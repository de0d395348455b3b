"""Which version of Botyard may use a state folder: a number in it that only ever grows."""

from pathlib import Path
from typing import Final

from botyard.errors import InputError

FORMAT: Final = 1
"""Raised when an older version could damage what this one writes."""

_NAME: Final = "format"


def check_format(state: Path) -> None:
    """Refuse a folder that a newer version has used, before anything in it is touched.

    Raises:
        InputError: a newer version was here, or the note about it cannot be read.
    """
    note = state / _NAME
    try:
        found = int(note.read_text(encoding="ascii"))
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, ValueError):
        raise InputError(
            "STATE_DIR", f"{note} cannot be read.", f"Run as its owner; it should say {FORMAT} or a lower number."
        ) from None
    if found > FORMAT:
        raise InputError(
            "STATE_DIR",
            f"{state} was used by a newer version of Botyard (format {found}, this version knows {FORMAT}).",
            "Use that version again, or set STATE_DIR to a new folder. Nothing was changed.",
        )


def note_format(state: Path) -> None:
    """Say that this version was here; the folder is locked by the caller."""
    draft = state / f"{_NAME}.new"
    draft.write_text(f"{FORMAT}\n", encoding="ascii")
    draft.replace(state / _NAME)
