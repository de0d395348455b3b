"""The lines of many processes on one terminal."""

import contextlib
import os
import queue
import threading
from pathlib import Path

STANDARD_OUTPUT = 1

_COLOURS = ("36", "32", "33", "35", "34", "96", "92", "93", "95", "94")
_WAITING_LINES = 10_000
_CLOSE_SECONDS = 1
_LOG_BYTES = 10_000_000


class Console:
    """Writes lines behind the name of the process they come from, coloured on a terminal.

    A thread writes, so that a paused terminal holds up nobody: lines beyond 10,000 waiting ones are dropped.

    Args:
        descriptor: where to; standard output when not given.
        width: of the column of names.
    """

    def __init__(self, descriptor: int = STANDARD_OUTPUT, *, width: int = 12) -> None:
        self._descriptor = descriptor
        self._width = width
        self._coloured = os.isatty(descriptor) and "NO_COLOR" not in os.environ
        self._colours: dict[str, str] = {}
        self._lines: queue.Queue[str | None] = queue.Queue(_WAITING_LINES)
        self._writer = threading.Thread(target=self._write, name="console", daemon=True)
        self._writer.start()

    def __call__(self, name: str, line: str) -> None:
        """Write one line of this process, soon."""
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(f"{self._prefix(name)} {line}\n")

    def close(self) -> None:
        """Write what waits, for a second at most."""
        with contextlib.suppress(queue.Full):
            self._lines.put(None, timeout=_CLOSE_SECONDS)
        self._writer.join(_CLOSE_SECONDS)

    def _prefix(self, name: str) -> str:
        column = f"{name:<{self._width}} |"
        if not self._coloured:
            return column
        colour = self._colours.setdefault(name, _COLOURS[len(self._colours) % len(_COLOURS)])
        return f"\x1b[{colour}m{column}\x1b[0m"

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            # A terminal that was closed, or `| head`: the processes go on without a reader. Not through
            # sys.stdout: its lock, held here by a paused terminal, would end the interpreter's exit badly.
            with contextlib.suppress(OSError):
                rest = line.encode(errors="replace")
                while rest:
                    rest = rest[os.write(self._descriptor, rest) :]


class LogFile:
    """A file of lines that keeps one older file beside it and never grows beyond 10 MB.

    Args:
        path: the file; its folder is made when it is missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._open()

    def write(self, line: str) -> None:
        """Add a line; a full disk loses it, not the process that wrote it."""
        with contextlib.suppress(OSError):
            self._file.write(f"{line}\n")
            if self._file.tell() > _LOG_BYTES:
                self._file.close()
                self._path.replace(self._path.with_name(f"{self._path.name}.1"))
                self._open()

    def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(OSError):
            self._file.close()

    def _open(self) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._file = os.fdopen(descriptor, "a", buffering=1, encoding="utf-8")
