"""What a kind of bot needs of Telegram, found by building it. Loads the bot's code."""

import traceback
from itertools import chain
from pathlib import Path

from botyard.errors import InputError
from botyard.telegram.application import build, find_kind
from botyard.telegram.outbox_bot import OutboxBot
from botyard.telegram.request import AiohttpRequest
from botyard.telegram.update_kinds import update_kinds

_NOBODY = {"id": 1, "is_bot": True, "first_name": "nobody", "username": "nobody_bot"}


def wanted_updates(kind: str) -> list[str]:
    """The ``allowed_updates`` of a kind: what its handlers can take.

    Args:
        kind: an installed one, or ``package.module:function``.

    Raises:
        InputError: there is no such kind, or its code raises; the place in the code is named.
    """
    try:
        bot = OutboxBot("1:nobody", "http://127.0.0.1:9/bot", AiohttpRequest(1), _NOBODY)
        application = build(find_kind(kind), bot)
    except InputError as error:
        if error.__cause__ is None:
            raise
        raise InputError(error.field, f"{error.problem} At {place_of(error.__cause__)}.", error.remedy) from error
    except Exception as error:
        problem = f"{kind} cannot be built: {type(error).__name__} at {place_of(error)}: {_first_line(error)}."
        raise InputError("kind", problem, "Mend it, then try again.") from error
    return update_kinds(chain.from_iterable(application.handlers.values()))


def place_of(error: BaseException) -> str:
    """Where in the code an exception comes from, as ``file:line``."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_short(error.filename)}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    return f"{_short(frames[-1].filename)}:{frames[-1].lineno}" if frames else "an unknown place"


def _short(file: str) -> str:
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file


def _first_line(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return error.msg
    return (str(error).splitlines() or ["no words"])[0].rstrip(".")
