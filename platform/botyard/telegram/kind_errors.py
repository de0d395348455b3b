"""What is said when a bot's code cannot be used: the place in it, and the remedy."""

import traceback
from pathlib import Path
from typing import Final

from botyard.errors import InputError

_OURS: Final = str(Path(__file__).parent)


def unusable(what: str, error: BaseException) -> InputError:
    """An error for whoever gave us the bot, naming the line of its code."""
    place = _place_of(error)
    at = f" at {place}" if place else ""
    return InputError("kind", f"{what}: {type(error).__name__}{at}: {_first_line(error)}.", "Mend it, then try again.")


def short(file: str | Path) -> str:
    """A file's name as a person in the working directory calls it."""
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(file)


def _place_of(error: BaseException) -> str:
    """Where in the bot's code an exception comes from, as ``file:line``; empty if it does not."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{short(error.filename)}:{error.lineno}"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not frame.filename.startswith(_OURS) and "importlib" not in frame.filename:
            return f"{short(frame.filename)}:{frame.lineno}"
    return ""


def _first_line(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return error.msg
    return (str(error).splitlines() or ["no words"])[0].rstrip(".")
