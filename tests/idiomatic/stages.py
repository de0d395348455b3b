"""Where a bot's script runs while its dialogue is played."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Protocol

from botyard.dialogues import Dialogue

START_SECONDS = 30.0
STOP_SECONDS = 10.0
RUNNER = Path(__file__).parent / "plain_runner.py"


class Stage(Protocol):
    """Runs one bot at a time."""

    @property
    def url(self) -> str:
        """Where its simulator is."""

    def start(self, script: Path, dialogue: Dialogue, token: str) -> None:
        """Run a script until it takes updates."""

    def restart(self) -> None:
        """Restart whatever runs it, if that is what this stage is about."""

    def stop(self) -> None:
        """Stop the bot."""


class PlainStage:
    """Plain python-telegram-bot: one ordinary process, which is never restarted.

    Args:
        url: of the simulator.
        folder: where the bot works, and what it writes goes.
    """

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """What the bot has written."""
        path = self.folder / "bot.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self, script: Path, dialogue: Dialogue, token: str) -> None:  # noqa: ARG002 - other stages need it
        """Run a script until Telegram knows which updates it wants."""
        self.folder.mkdir(parents=True, exist_ok=True)
        ready = self.folder / "ready"
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV_"))},
            "SIMULATOR_URL": self.url,
            "READY_FILE": str(ready),
            "BOT_TOKEN": token,
        }
        command = [sys.executable, str(RUNNER), str(script)]
        with (self.folder / "bot.log").open("wb") as log:
            self._process = subprocess.Popen(command, env=environment, cwd=self.folder, stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while not ready.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{script.name} does not run:\n{self.log[-3000:]}")
            time.sleep(0.02)

    def restart(self) -> None:
        """Do nothing: plain python-telegram-bot would forget everything."""

    def stop(self) -> None:
        """Stop the bot as systemd would."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
