"""A running yard, as tests see it: the simulator to write through, processes to kill."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

import psutil
from cryptography.fernet import Fernet

from botyard.embedded import free_port
from botyard.supervisor import read_status
from tests.commands import botyard
from tests.e2e.formation import FORMATION
from tests.rabbitmq import fresh_broker
from tests.standing import standing_still

START_SECONDS = 120
STOP_SECONDS = 60
PASSWORD = "of-a-throw-away-server"


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait until something holds; fail, saying what, when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(0.05)


class Simulator:
    """The simulator's control API."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def post(self, path: str, **body: Any) -> Any:
        """Give an order."""
        request = urllib.request.Request(
            self.url + path, data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def get(self, path: str) -> Any:
        """Ask."""
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return json.load(answer)

    def history(self) -> list[dict[str, Any]]:
        """Everything it delivered and received."""
        events: list[dict[str, Any]] = []
        after = 0
        while True:
            page = self.get(f"/sim/history?after={after}&limit=50000")
            events += page["events"]
            if len(page["events"]) < 50000:
                return events
            after = page["next"]

    def settled(self) -> bool:
        """Every update is acknowledged, and every repetition made."""
        pending = self.get("/sim/pending")
        return not pending["total"] and not pending["redeliveries"]


class Yard:
    """The system as separate processes in a folder of its own.

    Args:
        folder: where it keeps everything.
        settings: environment variables for all processes.
    """

    asked: ClassVar[dict[str, Any]] = {}
    """What its formation does otherwise: see `tests.e2e.formation`."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.postgres_port, self.valkey_port, self.web_port, simulator_port = (free_port() for _ in range(4))
        self.simulator = Simulator(simulator_port)
        database = f"127.0.0.1:{self.postgres_port}/botyard"
        self.environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "YARD_PASSWORD": PASSWORD,
            "DATABASE_OWNER_URL": f"postgresql://postgres:{PASSWORD}@{database}",
            "DATABASE_URL": f"postgresql://botyard_app:{PASSWORD}@{database}",
            "DATABASE_SYSTEM_URL": f"postgresql://botyard_system:{PASSWORD}@{database}",
            "REDIS_URL": f"redis://:{PASSWORD}@127.0.0.1:{self.valkey_port}/0",
            "SECRET_KEY": Fernet.generate_key().decode(),
            "STATE_DIR": str(folder),
            "API_URL": self.simulator.url,
            "WEBHOOK_BASE_URL": f"http://127.0.0.1:{self.web_port}",
            "WEB_HOST": "127.0.0.1",
            "PORT": str(self.web_port),
            "WEB_PORT": str(self.web_port),
            "SIMULATOR_PORT": str(simulator_port),
            # A backup in their first minute would take the processor from what tests and measurements look at.
            "BACKUP_TIME": "never",
            "WORKER_SLOW_SLOTS": "8",
            "WORKER_OUTBOUND_SLOTS": "8",
            "LOG_FORMAT": "json",
            FORMATION: json.dumps(self.asked),
            **fresh_broker(),
            **settings,
        }

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        ports = (str(self.postgres_port), str(self.valkey_port))
        command = [sys.executable, "-m", "tests.e2e.formation", str(self.folder), *ports]
        with (self.folder / "supervisor.log").open("wb") as log:
            self._supervisor = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        wait_until(self._is_up, START_SECONDS, "the yard is up")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._supervisor.send_signal(signal.SIGTERM)
        try:
            self._supervisor.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._supervisor.kill()
            raise
        if kind is not None:
            print((self.folder / "supervisor.log").read_text()[-3000:])

    @property
    def supervisor(self) -> "subprocess.Popen[bytes]":
        """The process that starts all others, and starts them again."""
        return self._supervisor

    def _is_up(self) -> bool:
        if self._supervisor.poll() is not None:
            raise AssertionError((self.folder / "supervisor.log").read_text()[-3000:])
        return (self.folder / "up").exists()

    def add_bot(self, token: str, kind: str, queue: str, name: str = "") -> int:
        """Make a bot known to the simulator, and add it as its owner would; its id at Telegram."""
        name = name or f"{kind.rpartition(':')[2]}_bot"
        self.simulator.post("/sim/bots", token=token, username=name, name=name)
        added = botyard(self.environment, "bot", "add", "--kind", kind, "--queue", queue, given=f"{token}\n")
        added.check_returncode()
        return int(token.split(":", maxsplit=1)[0])

    def pid(self, name: str) -> int:
        """The process id of a process type, once it lives."""
        found: list[int] = []

        def lives() -> bool:
            found[:] = [one.pid for one in read_status(self.folder) if one.name == name and one.pid]
            return bool(found)

        wait_until(lives, 30, f"{name} lives")
        return found[0]

    def kill(self, name: str) -> None:
        """SIGKILL to a process and everything of its group; the supervisor brings it back."""
        os.killpg(self.pid(name), signal.SIGKILL)

    def kill_child(self, name: str) -> None:
        """SIGKILL to one of a process' children."""
        wait_until(lambda: bool(psutil.Process(self.pid(name)).children()), 30, f"{name} has children")
        psutil.Process(self.pid(name)).children()[0].kill()

    @contextlib.contextmanager
    def stopped(self, name: str) -> Iterator[None]:
        """The processes of a type stand still (SIGSTOP) for the length of the block."""
        with standing_still(self.pid(name)):
            yield

    def metric(self, name: str) -> float:
        """A figure of /metrics, summed over its labels; waits for a web process that is just coming back."""
        lines: list[str] = []

        def answers() -> bool:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.web_port}/metrics", timeout=10) as answer:
                    lines[:] = answer.read().decode().splitlines()
            except OSError:
                return False
            return True

        wait_until(answers, 60, "/metrics answers")
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name}{{", f"{name} ")))

    def logs(self) -> Iterable[Path]:
        """Every log file."""
        return sorted(self.folder.glob("*.log*"))
