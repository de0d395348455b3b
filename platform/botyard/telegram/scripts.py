"""Ordinary scripts that end in ``run_polling()``: run as they are, and their application taken over.

A script is run in a module of its own name, so that it can be run again when it was changed, and by several bots in
one process. Its ``if __name__ == "__main__":`` holds all the same. See docs/bring-your-bot.md.
"""

import ast
import asyncio
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager
from contextvars import copy_context
from functools import wraps
from hashlib import sha256
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from botyard.errors import InputError
from botyard.telegram.application import TakenOver, YardApplication, loading
from botyard.telegram.kind_errors import short, unusable
from botyard.telegram.taking_over import MakeBot, TakeOver, taking_over

_SECONDS: Final = 15.0
_TOKEN_NAME: Final = re.compile(r"[A-Z][A-Z0-9_]*TOKEN[A-Z0-9_]*|TOKEN[A-Z0-9_]*")
_CUSTOMARY: Final = ("BOT_TOKEN", "TELEGRAM_TOKEN", "TELEGRAM_BOT_TOKEN", "TG_TOKEN", "TOKEN", "API_TOKEN")
_REMEDY: Final = "Let it end in application.run_polling(), or give package.module:function."
# A script sees the process' arguments, paths and environment, which are one for all.
_one_at_a_time: Final = threading.RLock()
_numbers: Final = count(1)
_neighbours: Final[dict[Path, dict[str, Path]]] = {}


def is_script(kind: str) -> bool:
    """Whether a kind is the path of a script."""
    return kind.endswith(".py")


class Script:
    """A script as it stands on the disk.

    Args:
        path: of the file.

    Raises:
        InputError: it cannot be read, or is no Python.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._modules: dict[str, ModuleType] = {}
        try:
            source = self.path.read_bytes()
            self._tree = _AsMain().visit(ast.parse(source, str(self.path)))
        except OSError as error:
            problem = f"{short(self.path)} cannot be read: {error.strerror}."
            raise InputError("kind", problem, "Give the path of a Python file that the workers can read.") from None
        except (SyntaxError, ValueError) as error:
            raise unusable(f"{short(self.path)} cannot be loaded", error) from error

    def run(self, make_bot: MakeBot, token: str) -> YardApplication:
        """Run it up to the point where it would wait for updates; the application that it built.

        Args:
            make_bot: makes its bot.
            token: what it finds in the environment, where scripts look for their token.

        Raises:
            InputError: it raises, ends without running an application, or does what cannot be done here.
        """
        with taking_over(make_bot) as taking:
            context = copy_context()
        ended: Future[None] = Future()

        def execute() -> None:
            try:
                context.run(self._execute, token)
            except BaseException as error:  # noqa: BLE001 - whatever it raises is judged by whoever waits
                ended.set_exception(error)
            else:
                ended.set_result(None)

        # In a thread of its own: it may make a loop, and a loop may be running here; and it may never end.
        with _one_at_a_time:
            threading.Thread(target=execute, name=f"script {self.path.name}", daemon=True).start()
            try:
                ended.result(_SECONDS)
            except TakenOver as taken:
                taken.application.modules = self._modules | {
                    name: sys.modules[name] for name in _neighbours.get(self.path, {}) if name in sys.modules
                }
                return taken.application
            except FutureTimeoutError:
                raise self._refused(f"it has not come to run_polling() after {_SECONDS:g} s.", _REMEDY) from None
            except InputError as error:
                raise self._refused(error.problem, error.remedy) from error
            except (Exception, SystemExit, KeyboardInterrupt) as error:
                raise unusable(f"{short(self.path)} cannot be loaded", error) from error
        raise self._refused(_how_it_ended(taking), _REMEDY)

    def _refused(self, problem: str, remedy: str) -> InputError:
        return InputError("kind", f"{short(self.path)} cannot be run here: {problem}", remedy)

    def _execute(self, token: str) -> None:
        module = ModuleType(f"botyard_script_{self.path.stem}_{next(_numbers)}")
        module.__file__ = str(self.path)
        self._modules = {self.path.stem: module}
        code = compile(self._tree, str(self.path), "exec", dont_inherit=True)
        with _as_started_alone(self.path, dict.fromkeys(_token_names(self._tree), token)), _fresh_neighbours(self.path):
            sys.modules[module.__name__] = module
            exec(code, module.__dict__)  # noqa: S102 - it is the bot's own code, which its operator installed


class SourceVersions:
    """Tells when a script, or a module of its folder that it imports, was changed. Asking costs a look at the disk."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[tuple[str, int, int], ...], str]] = {}

    def of(self, kind: str) -> str:
        """A hash of the script's code; empty for what is no script, or is not there at the moment."""
        if not is_script(kind):
            return ""
        path = Path(kind).absolute()
        files = [path, *sorted(_neighbours.get(path, {}).values())]
        try:
            marks = tuple((str(file), (stat := file.stat()).st_mtime_ns, stat.st_size) for file in files)
            known = self._known.get(kind)
            if known is None or known[0] != marks:
                content = b"\0".join(file.read_bytes() for file in files)
                known = self._known[kind] = (marks, sha256(content).hexdigest()[:16])
        except OSError:
            # An editor may be replacing it just now.
            return self._known[kind][1] if kind in self._known else ""
        return known[1]


def _leave_signals(function: Callable[..., Any]) -> Callable[..., Any]:
    """Signals are the worker's: a script that waits for them by itself is not to hear them, nor to fail over that."""

    @wraps(function)
    def left(*args: Any, **kwargs: Any) -> Any:
        return None if loading.get() else function(*args, **kwargs)

    return left


signal.signal = _leave_signals(signal.signal)
_loops: Any = asyncio.SelectorEventLoop
_loops.add_signal_handler = _leave_signals(_loops.add_signal_handler)


def _how_it_ended(taking: TakeOver) -> str:
    if not taking.built:
        return "it ended, and built no application."
    return "it built an application and ended without running it."


class _AsMain(ast.NodeTransformer):
    """The guard of a script is true, though its module has a name of its own."""

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        if ast.unparse(node) in ("__name__ == '__main__'", "'__main__' == __name__"):
            return ast.copy_location(ast.Constant(value=True), node)
        return self.generic_visit(node)


def _token_names(tree: ast.AST) -> set[str]:
    """The variables of the environment in which the script may look for its token."""
    words = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return {*_CUSTOMARY, *(word for word in words if _TOKEN_NAME.fullmatch(word))}


@contextmanager
def _as_started_alone(path: Path, tokens: Mapping[str, str]) -> Iterator[None]:
    """What a script finds when it is started by itself: its arguments, its folder, and its token in the environment."""
    argv, paths = sys.argv, list(sys.path)
    before = {name: os.environ.get(name) for name in tokens}
    sys.argv, sys.path[0:0] = [str(path)], [str(path.parent)]
    os.environ.update(tokens)
    try:
        yield
    finally:
        sys.argv, sys.path[:] = argv, paths
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _fresh_neighbours(path: Path) -> Iterator[None]:
    """Modules of its folder that a script imports are imported anew each time, as the script is run anew."""
    for name in _neighbours.get(path, {}):
        sys.modules.pop(name, None)
    before = set(sys.modules)
    try:
        yield
    finally:
        _neighbours[path] = {
            name: Path(file)
            for name, module in list(sys.modules.items())
            if name not in before
            and (file := getattr(module, "__file__", None)) is not None
            and Path(file).is_relative_to(path.parent)
            and "site-packages" not in file
            and Path(file) != path
        }
