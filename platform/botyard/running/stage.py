"""A Botyard of one's own for the tests of one's bots: in an empty folder, gone afterwards. See docs/dialogues.md."""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from botyard.dialogues import Control, Dialogue, Player, Transcript, read_dialogue
from botyard.embedded import free_port
from botyard.errors import InputError, TransientError
from botyard.settings import Settings
from botyard.supervisor import read_status

_START_SECONDS: Final = 120.0
_STOP_SECONDS: Final = 60.0
_WORKERS: Final = ("worker", "threads")
# Telegram's limits have tests of their own: a dialogue is to take the time that the bot takes.
_UNLIMITED: Final = {"LIMIT_PRIVATE_BURST": "100000", "LIMIT_GROUP_PER_MINUTE": "100000"}


class Stage:
    """A running Botyard with its simulator; use as a context.

    Args:
        folder: where it keeps everything; none: a folder that goes with it.
        patience: a factor on the seconds of dialogues, for slow machines.
    """

    def __init__(self, folder: Path | None = None, *, patience: float = 1.0) -> None:
        self._resources = contextlib.ExitStack()
        self._folder = folder
        self._patience = patience
        self._ids = count(4_400_000_001)
        self._ports = {name: str(free_port()) for name in ("WEB_PORT", "SIMULATOR_PORT", "FLOWER_PORT")}
        self.url = f"http://127.0.0.1:{self._ports['SIMULATOR_PORT']}"
        """Where its simulator is."""

    def __enter__(self) -> Self:
        if self._folder is None:
            self._folder = Path(self._resources.enter_context(tempfile.TemporaryDirectory(prefix="botyard-stage-")))
        # What the caller has set up for a Botyard of theirs is not for this one.
        kept = {name: value for name, value in os.environ.items() if name.lower() not in Settings.model_fields}
        state = self._folder / "state"
        self._environment = {**kept, **_UNLIMITED, **self._ports, "STATE_DIR": str(state), "API_URL": self.url}
        self._log = self._folder / "stage.log"
        with self._log.open("wb") as log:
            command = [sys.executable, "-m", "botyard.cli", "run"]
            self._process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)
        try:
            self._wait(lambda: "Botyard is running" in self._log.read_text(errors="replace"))
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def play(self, script: Path | str, dialogue: Path | str) -> Transcript:
        """Let a bot play a dialogue from the beginning, as one that nobody has written to yet.

        Args:
            script: a script that ends in ``run_polling()``, or another kind of bot.
            dialogue: the file.

        Returns:
            What the bot did.

        Raises:
            InputError: the bot cannot run here.
            InvalidDialogue: the file is wrong.
            DialogueFailed: the bot did something else than is expected.
        """
        read = read_dialogue(Path(dialogue))
        token = read.bot.token or f"{next(self._ids)}:{secrets.token_urlsafe(27)[:35]}"
        with Control(self.url) as control:
            player = Player(read, control, token, patience=self._patience)
            player.prepare()
            self._add(str(script), read, token)
            return player.play(self.restart)

    def restart(self) -> None:
        """Kill all workers, in the middle of whatever they do, and wait until others are there."""
        state = self._folder_of_state()
        told = [state / "ready" / name for name in _WORKERS]
        for file in told:
            file.unlink(missing_ok=True)
        for one in read_status(state):
            if one.name in _WORKERS and one.pid is not None:
                os.kill(one.pid, signal.SIGKILL)
        self._wait(lambda: all(file.exists() for file in told))

    def _add(self, kind: str, dialogue: Dialogue, token: str) -> None:
        self._botyard("bot", "add", "--kind", kind, told=f"{token}\n")
        options = [part for name, value in dialogue.bot.options.items() for part in (f"--{name}", value)]
        if options:
            self._botyard("bot", "set", token.partition(":")[0], *options)

    def _botyard(self, *words: str, told: str = "") -> None:
        ran = subprocess.run(
            [sys.executable, "-m", "botyard.cli", *words], input=told, env=self._environment, check=False, text=True,
            capture_output=True, timeout=_START_SECONDS,
        )  # fmt: skip
        if ran.returncode:
            field, _, problem = ran.stderr.strip().removeprefix("botyard: ").partition(": ")
            raise InputError(field, problem or ran.stderr.strip())

    def _folder_of_state(self) -> Path:
        assert self._folder is not None  # noqa: S101 - it was entered
        return self._folder / "state"

    def _wait(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not condition():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise TransientError(f"Botyard does not start:\n{self._log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.05)

    def _stop(self) -> None:
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            # Its children die with it.
            self._process.kill()
            self._process.wait()
        self._resources.close()
