"""``botyard …`` as a process of its own, without half a minute of importing in every file of tests.

Settings are read and servers are met by each of them alone, from the environment that it is given. How the command is
found and started by a shell has tests of its own, in tests/e2e/test_commands_alone.py.
"""

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired

from tests.forks import FORKS


def botyard(
    environment: Mapping[str, str], *words: str, given: str = "", folder: Path | None = None, seconds: float = 60
) -> "CompletedProcess[str]":
    """Run a command to its end.

    Args:
        environment: its environment variables, all of them.
        words: what stands behind ``botyard``.
        given: what it reads from its standard input.
        folder: where it is started.
        seconds: for how long it may run.

    Raises:
        TimeoutExpired: it ran for longer.
    """
    with tempfile.TemporaryDirectory() as place:
        paths = [Path(place, name) for name in ("in", "out", "err")]
        paths[0].write_text(given)
        arguments = (words, dict(environment), str(folder or Path.cwd()), [str(path) for path in paths])
        child = FORKS.Process(target=_run, args=arguments)
        child.start()
        child.join(seconds)
        if child.exitcode is None:
            child.kill()
            child.join()
            raise TimeoutExpired(words, seconds, paths[1].read_bytes(), paths[2].read_bytes())
        return CompletedProcess(words, child.exitcode, paths[1].read_text(), paths[2].read_text())


def _run(words: tuple[str, ...], environment: dict[str, str], folder: str, paths: list[str]) -> None:
    for number, (path, flags) in enumerate(zip(paths, (os.O_RDONLY, *[os.O_WRONLY | os.O_CREAT] * 2), strict=True)):
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["botyard", *words]
    from botyard.cli import main

    main()
