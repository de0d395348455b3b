"""``botyard run`` as a process, in a state folder of its own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from botyard.settings import Settings
from tests.e2e.yard import wait_until
from tests.rabbitmq import fresh_broker

START_SECONDS = 90


class Run:
    """One life of ``botyard run`` in a state folder."""

    def __init__(self, state: Path, **settings: str) -> None:
        # Other tests of this process may have servers of their own in the environment.
        inherited = {name: value for name, value in os.environ.items() if name.lower() not in Settings.model_fields}
        self.environment = {**inherited, "STATE_DIR": str(state), **fresh_broker(), **settings}
        self.log = state.parent / "run.log"
        self.folder: Path | None = None
        """Where it is started; the tests' own folder if not set."""
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> float:
        """Start, and wait until it says that it runs; the seconds that took."""
        began = time.monotonic()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "botyard.cli", "run", *options],
                cwd=self.folder, env=self.environment, stdout=log, stderr=log,
            )  # fmt: skip
        wait_until(self._says_so, START_SECONDS, "botyard run says that it is running")
        return time.monotonic() - began

    def _says_so(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        return "Botyard is running" in self.log.read_text()

    def interrupt(self) -> list[int]:
        """Ctrl-C; the process ids that were there before."""
        assert self.process is not None
        pids = [child.pid for child in psutil.Process(self.process.pid).children(recursive=True)]
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(60) == 0, self.log.read_text()
        return pids
