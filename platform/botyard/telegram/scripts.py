"""Ordinary scripts that end in ``run_polling()``: run as they are, and their application taken over.

A script is run in a thread of its own, up to the point where it would wait for updates, and waits there for as long as
its application is in use. Its ``if __name__ == "__main__":`` holds all the same. See docs/bring-your-bot.md.
"""

import ast
import asyncio
import os
import re
import threading
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextvars import copy_context
from hashlib import sha256
from pathlib import Path
from typing import Final

from botyard.errors import InputError
from botyard.telegram.application import HandOver, TakenOver, YardApplication
from botyard.telegram.kind_errors import short, unusable
from botyard.telegram.script_modules import ScriptModules
from botyard.telegram.script_scope import started_alone
from botyard.telegram.taking_over import MakeBot, TakeOver, taking_over

NO_TOKEN: Final = "0:given-by-the-yard"  # noqa: S105 - it is nobody's
"""For code that is loaded only to be looked at, and for whatever else may be called a token."""
_SECONDS: Final = 15.0
_TOKEN_NAME: Final = re.compile(r"[A-Z][A-Z0-9_]*TOKEN[A-Z0-9_]*|TOKEN[A-Z0-9_]*")
_CUSTOMARY: Final = ("BOT_TOKEN", "TELEGRAM_TOKEN", "TELEGRAM_BOT_TOKEN", "TG_TOKEN", "TG_BOT_TOKEN", "TOKEN")
_REMEDY: Final = "Let it end in application.run_polling(), or give package.module:function."
# A script sees the process' arguments and environment, which are one for all.
_one_at_a_time: Final = threading.Lock()
_NOTHING: Final = "it ended, and built no application."
_files: Final[dict[Path, list[Path]]] = {}


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
            token: what it finds in the environment where bots customarily look for their token.

        Raises:
            InputError: it raises, ends without running an application, or does what cannot be done here.
        """
        modules, hand = ScriptModules(self.path), HandOver()
        with taking_over(make_bot, hand) as taking:
            context = copy_context()
        execute = threading.Thread(
            target=lambda: context.run(self._execute, modules, hand), name=f"script {self.path.name}", daemon=True
        )
        try:
            with _one_at_a_time, started_alone(self.path, _tokens(self._tree, token)):
                execute.start()
                application = self._taken(hand, taking)
        except BaseException:
            modules.forget()
            raise
        _files[self.path] = modules.files
        application.modules = modules.named
        hand.at_end(modules.forget)
        return application

    def _taken(self, hand: HandOver, taking: TakeOver) -> YardApplication:
        try:
            return hand.taken.result(_SECONDS)
        except FutureTimeoutError:
            raise self._refused(f"it has not come to run_polling() after {_SECONDS:g} s.") from None
        except TakenOver:
            ended = "it built an application and ended without running it." if taking.built else _NOTHING
            raise self._refused(ended) from None
        except InputError as error:
            raise self._refused(error.problem, error.remedy) from error
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            raise unusable(f"{short(self.path)} cannot be loaded", error) from error

    def _refused(self, problem: str, remedy: str = _REMEDY) -> InputError:
        return InputError("kind", f"{short(self.path)} cannot be run here: {problem}", remedy)

    def _execute(self, modules: ScriptModules, hand: HandOver) -> None:
        code = compile(self._tree, str(self.path), "exec", dont_inherit=True)
        # As in the main thread of a process: some ask for the loop before there is one.
        asyncio.set_event_loop(asyncio.new_event_loop())
        try:
            exec(code, modules.main.__dict__)  # noqa: S102 - it is the bot's own code, which its operator installed
            hand.end(TakenOver())
        except BaseException as error:  # noqa: BLE001 - whatever it raises is judged by whoever waits
            hand.end(error)


class SourceVersions:
    """Tells when a script, or a module of its folder that it imports, was changed. Asking costs a look at the disk."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[tuple[str, int, int], ...], str]] = {}

    def of(self, kind: str) -> str:
        """A hash of the script's code; empty for what is no script, or is not there at the moment."""
        if not is_script(kind):
            return ""
        path = Path(kind).absolute()
        files = _files.get(path) or [path]
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


class _AsMain(ast.NodeTransformer):
    """The guard of a script is true, though its module has a name of its own."""

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        if ast.unparse(node) in ("__name__ == '__main__'", "'__main__' == __name__"):
            return ast.copy_location(ast.Constant(value=True), node)
        return self.generic_visit(node)


def _tokens(tree: ast.AST, token: str) -> dict[str, str]:
    """The variables in which the script may look for its token.

    Its builder is given ours in any case. So only the customary names tell the real one: what else is called a token
    may be another service's, and would be sent there.
    """
    found = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    words = (value for value in found if isinstance(value, str))
    others = {word: NO_TOKEN for word in words if _TOKEN_NAME.fullmatch(word) and word not in os.environ}
    return others | dict.fromkeys(_CUSTOMARY, token)
