"""What failures of one cause have in common, readable: the error and its place, or the words of an answer."""

import re
import sysconfig
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Final

import botyard
from botyard.telemetry.redaction import redact

_LIBRARIES: Final = tuple({sysconfig.get_paths()[name] for name in ("stdlib", "purelib", "platlib")})
_OURS: Final = (*botyard.__path__, str(Path(*botyard.__path__).parents[1] / "tasks"))
_LONGEST: Final = 300
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?")


def of_error(error: BaseException) -> str:
    """The kind of an error, and the innermost line of the bot's own code that it passed.

    Args:
        error: what the bot's code raised.

    Returns:
        For example ``KeyError at bots/demo/handlers.py:42 in echo``.
    """
    place = _place(traceback.extract_tb(error.__traceback__))
    return f"{type(error).__name__}{place and f' at {place}'}"[:_LONGEST]


def of_words(*words: str) -> str:
    """Sentences in which only the numbers differ are the same."""
    return redact(_NUMBER.sub("…", ": ".join(words)))[:_LONGEST]


def place_of(frame: FrameType) -> str:
    """Where a thread is just now, in the bot's own code if it is in any: ``bots/demo/handlers.py:42 in echo``."""
    return _place(traceback.extract_stack(frame))


def _place(frames: Sequence[traceback.FrameSummary]) -> str:
    of_the_bot = [frame for frame in frames if not frame.filename.startswith((*_LIBRARIES, *_OURS, "<"))]
    for frame in [*of_the_bot[-1:], *frames[-1:]]:
        path, here = Path(frame.filename), Path.cwd()
        shown = path.relative_to(here) if path.is_relative_to(here) else Path(*path.parts[-3:])
        return f"{shown}:{frame.lineno} in {frame.name}"
    return ""
