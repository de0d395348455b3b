"""A yard whose processes have failpoints and perhaps a planted bug, and whose network misbehaves when it is told to."""

import contextlib
import json
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit, urlunsplit

import psutil
import psycopg2
from redis import Redis

from tests.e2e.formation import FORMATION, twin
from tests.e2e.yard import Simulator, Yard, wait_until
from tests.faults.installing import BUG, POINTS
from tests.faults.points import Points
from tests.faults.proxy import Proxy

WORKERS: Final = ("worker", "worker_slow", "worker_outbound", "worker_maintenance")
TYPES: Final = ("web", *WORKERS, "beat")
_ENTRIES: Final = {"celery -A tasks ": "celery -A tests.faults.tasks ", "botyard.web:app": "tests.faults.web:app"}
_ROOM: Final = {"WORKER_CHILDREN": "4", "WORKER_SLOW_SLOTS": "16", "WORKER_OUTBOUND_SLOTS": "16"}
"""Slow handlers wait and compute nothing: with fewer there would be a queue before anything goes wrong."""
_SERVERS: Final = {
    "redis": ("REDIS_URL",),
    "postgres": ("DATABASE_URL", "DATABASE_SYSTEM_URL", "DATABASE_OWNER_URL"),
    "telegram": ("API_URL",),
}
"""What is reached through a proxy, by the settings that name it."""


class Recorded(Simulator):
    """The simulator, of whose record only what is new is asked for: looking at it is to cost the system little."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self._known: list[dict[str, Any]] = []
        self._next = 0

    def history(self) -> list[dict[str, Any]]:
        """Everything it delivered and received since the record was reset."""
        while True:
            page = self.get(f"/sim/history?after={self._next}&limit=50000")
            self._known += page["events"]
            self._next = page["next"]
            if len(page["events"]) < 50000:
                return list(self._known)

    def reset(self) -> None:
        """A new record."""
        self.post("/sim/history/reset")
        self._known, self._next = [], 0


class FaultyYard(Yard):
    """The system of a campaign.

    Args:
        folder: where it keeps everything.
        bug: that all its processes have.
        twins: process types that run twice.
        through: by the name of a proxy, what stands behind it (``redis``, ``postgres``, ``telegram``) and the process
            types that reach it this way.
        told: settings of single process types.
        settings: environment variables for all processes.
        code: the checkout that all processes run at first, without failpoints; none: this one, with them.
    """

    def __init__(
        self,
        folder: Path,
        *,
        bug: str = "",
        twins: Sequence[str] = (),
        through: Mapping[str, tuple[str, Sequence[str]]] | None = None,
        told: Mapping[str, Mapping[str, str]] | None = None,
        settings: Mapping[str, str] | None = None,
        code: Path | None = None,
    ) -> None:
        self.points = Points(folder / "points")
        super().__init__(folder, **{POINTS: str(folder / "points"), BUG: bug, **_ROOM, **(settings or {})})
        self._through = through or {}
        self._told = {name: dict(values) for name, values in (told or {}).items()}
        self._twins = list(twins)
        self._code = code
        self._ending = contextlib.ExitStack()
        self._simulator_port = int(self.environment["SIMULATOR_PORT"])
        self.simulator: Recorded = Recorded(self._simulator_port)
        ports = {"redis": self.valkey_port, "postgres": self.postgres_port, "telegram": self._simulator_port}
        self.proxies = {name: Proxy(ports[server]) for name, (server, _) in self._through.items()}

    def __enter__(self) -> Self:
        for name, proxy in self.proxies.items():
            self._ending.enter_context(proxy)
            server, types = self._through[name]
            if server == "telegram":
                # Nobody is to see that something stands in between: an address that is not the simulator's is taken for
                # Telegram's, which brings nothing to a machine without a public address.
                self.environment |= {"API_URL": f"http://127.0.0.1:{proxy.port}", "SIMULATOR_PORT": str(proxy.port)}
            for one in types:
                own = self._told.setdefault(one, {})
                own |= {setting: _at(self.environment[setting], proxy.port) for setting in _SERVERS[server]}
        for name in self._twins:
            self._told[twin(name)] = {**self._told.get(name, {}), **self._told.get(twin(name), {})}
        asked = {"twins": self._twins, "told": self._told, "simulator": self._simulator_port}
        if self._code is None:
            asked["entries"] = _ENTRIES
        else:
            asked["code"] = str(self._links)
            self._links.mkdir(parents=True)
            for name in self.processes:
                self.runs(name, self._code)
        self.environment[FORMATION] = json.dumps(asked)
        return super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.calm()
        super().__exit__(kind, error, trace)
        self._ending.close()

    @property
    def processes(self) -> list[str]:
        """All processes but servers."""
        return [*TYPES, *(twin(name) for name in self._twins)]

    @property
    def _links(self) -> Path:
        return self.folder / "code"

    def runs(self, name: str, code: Path) -> None:
        """From its next start on a process runs this checkout."""
        fresh = self._links / f"{name}.fresh"
        fresh.symlink_to(code)
        fresh.rename(self._links / name)

    def replace(self, name: str) -> None:
        """Have a process replaced as a deploy does it, and wait until the next one is ready. See docs/running.md."""
        process = psutil.Process(self.pid(name))
        if name == "web":
            before = _serving(process)
            process.send_signal(signal.SIGHUP)
            wait_until(lambda: not before & _serving(process), 60, "web is replaced")
            return
        ready = self.folder / "ready" / name
        ready.unlink(missing_ok=True)
        process.terminate()
        process.wait(60)
        wait_until(ready.exists, 60, f"{name} is ready again")

    def code_of(self, name: str) -> Path:
        """The checkout that a process runs from its next start on."""
        return (self._links / name).resolve()

    def calm(self) -> None:
        """No point is armed, and the network is well."""
        self.points.disarm()
        for proxy in self.proxies.values():
            proxy.weather.delay, proxy.weather.silent, proxy.weather.closed = 0.0, False, False

    def sql(self, statement: str, *parameters: object) -> list[tuple[object, ...]]:
        """The rows of a statement, past all proxies."""
        with contextlib.closing(psycopg2.connect(self.environment["DATABASE_OWNER_URL"])) as database, database:
            cursor = database.cursor()
            cursor.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def figure(self, statement: str, *parameters: object) -> int:
        """The one number that a statement gives."""
        ((number,),) = self.sql(statement, *parameters)
        return int(str(number))

    def held(self) -> int:
        """How many updates wait in the mailboxes."""
        with Redis.from_url(self.environment["REDIS_URL"]) as redis:
            return sum(redis.llen(name) for name in redis.scan_iter("by:box:*", count=1000))

    def wait_struck(self, point: str, seconds: float = 20.0) -> None:
        """Wait until somebody has come to an armed point."""
        wait_until(lambda: not self.points.is_armed(point), seconds, f"somebody comes to {point}")


def _serving(web: psutil.Process) -> set[int]:
    """The processes of a server that serve, which is all but the one that looks after multiprocessing's resources."""
    found = set()
    for child in web.children():
        with contextlib.suppress(psutil.NoSuchProcess):  # or a zombie: it has just ended
            if "multiprocessing.spawn" in " ".join(child.cmdline()):
                found.add(child.pid)
    return found


def _at(url: str, port: int) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition(":")[0]
    return urlunsplit(parts._replace(netloc=f"{host}:{port}"))
