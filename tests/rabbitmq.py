"""A real RabbitMQ for tests, on the loopback, in a folder of its own, stopped by its own ids.

``python -m tests.rabbitmq COMMAND…`` runs a command that finds one: every test session and every yard in it then has a
virtual host of its own as its broker.
"""

import base64
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from botyard.embedded import free_port
from tests.standing import standing_still

BINARY = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
SERVER = "TEST_RABBITMQ"
"""The variable with the server's two ports, for AMQP and for its management."""
NAME, PASSWORD = "botyard", "of-a-throw-away-server"
_USER = "rabbitmq"
_READY_SECONDS = 120
_STOP_SECONDS = 60


class RabbitServer:
    """A server that may be killed and started again; what it was given to keep is still there then.

    Args:
        folder: where it keeps everything; its user must be able to reach it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.management, self._distribution, self._mapper_port = (free_port() for _ in range(4))
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._configure()
        with (self.folder / "server.log").open("ab") as log:
            # Its own port mapper, as a child: the server would start one that outlives it.
            for words in (["epmd", "-port", str(self._mapper_port), "-address", "127.0.0.1"], [str(BINARY)]):
                command = [*_as_its_user(), *words]
                self._processes.append(
                    subprocess.Popen(command, env=self._environment(), stdout=log, stderr=log, start_new_session=True)
                )
        deadline = time.monotonic() + _READY_SECONDS
        while not self._answers():
            if time.monotonic() > deadline or self._processes[-1].poll() is not None:
                raise AssertionError((self.folder / "server.log").read_text()[-3000:])
            time.sleep(0.1)

    @property
    def url(self) -> str:
        """The address of its first virtual host."""
        return f"amqp://{NAME}:{PASSWORD}@127.0.0.1:{self.port}//"

    def kill(self) -> None:
        """SIGKILL to it and whatever it started."""
        self._end(signal.SIGKILL)

    @contextlib.contextmanager
    def hanging(self) -> Iterator[None]:
        """It takes connections and answers nothing (SIGSTOP) until the end of the block."""
        with standing_still(*(process.pid for process in self._processes)):
            yield

    def stop(self) -> None:
        """Let it end as it wants to."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        for process in reversed(self._processes):
            with contextlib.suppress(ProcessLookupError):
                (os.killpg if how == signal.SIGKILL else os.kill)(process.pid, how)
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self._processes.clear()

    def _configure(self) -> None:
        lines = {
            "listeners.tcp.local": f"127.0.0.1:{self.port}",
            "default_user": NAME,
            "default_pass": PASSWORD,
            "management.tcp.ip": "127.0.0.1",
            "management.tcp.port": self.management,
            "log.console": "true",
            # The processes of a test run need memory more than it does, and it must not block them for want of disk.
            "disk_free_limit.absolute": "10MB",
        }
        (self.folder / "rabbitmq.conf").write_text("".join(f"{name} = {value}\n" for name, value in lines.items()))
        (self.folder / "plugins").write_text("[rabbitmq_management].\n")
        if os.geteuid() == 0:
            shutil.chown(self.folder, _USER, _USER)

    def _environment(self) -> dict[str, str]:
        home = str(self.folder)
        return {
            "PATH": f"{os.environ['PATH']}:/usr/sbin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "HOME": home,
            "RABBITMQ_NODENAME": f"botyard{self.port}@localhost",
            "RABBITMQ_MNESIA_BASE": f"{home}/mnesia",
            "RABBITMQ_LOG_BASE": f"{home}/log",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{home}/plugins",
            "RABBITMQ_CONFIG_FILE": f"{home}/rabbitmq.conf",
            "RABBITMQ_PID_FILE": f"{home}/pid",
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._mapper_port),
            # Two schedulers that do not spin: what is measured and tested beside it needs the cores.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +S 2:2",
        }

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return asked(self.management, "GET", "overview")
        return False


def _as_its_user() -> list[str]:
    if os.geteuid() != 0:
        return []
    return ["setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups"]


def asked(management: int, method: str, path: str, **body: Any) -> bool:
    """Whether its management does this."""
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(f"http://127.0.0.1:{management}/api/{path}", method=method, data=data)
    request.add_header("Authorization", "Basic " + base64.b64encode(f"{NAME}:{PASSWORD}".encode()).decode())
    request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status) < 300
    except OSError:
        return False


@contextlib.contextmanager
def serving() -> Iterator[RabbitServer]:
    """A server until the end of the block."""
    folder = Path(tempfile.mkdtemp(prefix="botyard-rabbitmq-"))
    server = RabbitServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def fresh_broker() -> dict[str, str]:
    """The setting that makes a new virtual host of the server the broker; none: Redis is the broker."""
    if not (ports := os.environ.get(SERVER)):
        return {"BROKER_URL": ""}
    port, management = json.loads(ports)
    name = f"yard-{uuid.uuid4().hex}"
    assert asked(management, "PUT", f"vhosts/{name}")
    return {"BROKER_URL": f"amqp://{NAME}:{PASSWORD}@127.0.0.1:{port}/{name}"}


def main(command: list[str]) -> int:
    """Run a command beside a server; its exit status."""
    with serving() as server:
        environment = {**os.environ, SERVER: json.dumps([server.port, server.management])}
        return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
