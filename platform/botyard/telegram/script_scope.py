"""What a script finds when it is started by itself, and what of it would reach beyond it in a process of many."""

import asyncio
import os
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Final

import structlog

from botyard.settings import Settings
from botyard.telegram.application import loading

log = structlog.get_logger(__name__)

_OURS: Final = frozenset(name.upper() for name in Settings.model_fields)
_added: Final[dict[Path, dict[str, str]]] = {}
"""What each script has put into the environment, as it does that with a file ``.env``."""


@contextmanager
def started_alone(path: Path, tokens: Mapping[str, str]) -> Iterator[None]:
    """The script's arguments and environment, for as long as it is loaded; one script of a process at a time.

    What the platform is told there, and what other scripts have put there, it does not see. What it puts there itself
    stays, unless the platform or another script has the name.

    Args:
        path: of the script.
        tokens: what stands where it may look for its token.
    """
    argv, before = sys.argv, dict(os.environ)
    foreign = {name for script, names in _added.items() if script != path for name in names}
    sys.argv = [str(path)]
    for name in (_OURS | foreign) & os.environ.keys():
        del os.environ[name]
    os.environ.update(tokens)
    found = dict(os.environ)
    try:
        yield
    finally:
        own = {name: value for name, value in os.environ.items() if found.get(name) != value}
        sys.argv = argv
        os.environ.clear()
        os.environ.update(before)
        _keep(path, own, before, foreign)


def _keep(path: Path, own: dict[str, str], before: Mapping[str, str], foreign: set[str]) -> None:
    _added[path] = own
    for name, value in own.items():
        if name in foreign and before.get(name) != value:
            # After its loading it would find the other's: only what it reads while it is loaded is its own.
            log.error("environment_shared", script=path.name, name=name)
        elif name not in _OURS:
            os.environ[name] = value


def _unless_loading(function: Callable[..., Any]) -> Callable[..., Any]:
    """Signals are the worker's: a script that waits for them by itself is not to hear them, nor to fail over that."""

    @wraps(function)
    def left(*args: Any, **kwargs: Any) -> Any:
        return None if loading.get() is not None else function(*args, **kwargs)

    return left


def _of_any_thread(connect: Callable[..., Any]) -> Callable[..., Any]:
    """What a script connects to is used by its handlers, in the thread of their loop and no other."""

    @wraps(connect)
    def connected(*args: Any, **kwargs: Any) -> Any:
        if loading.get() is not None:
            kwargs.setdefault("check_same_thread", False)
        return connect(*args, **kwargs)

    return connected


signal.signal = _unless_loading(signal.signal)
sqlite3.connect = _of_any_thread(sqlite3.connect)
_loops: Any = asyncio.SelectorEventLoop
_loops.add_signal_handler = _unless_loading(_loops.add_signal_handler)
