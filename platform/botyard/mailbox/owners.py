"""Who holds leases, by process; and what the dead hold is free at once. See docs/mailbox.md.

Time is no proof of death, so a lease is long. That a process is gone is one, and its own machine can see it.
"""

import os
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from socket import gethostname
from typing import Final

import psutil
import structlog
from redis import Redis

from botyard.mailbox import scripts
from botyard.mailbox.protocol import fresh_id

log = structlog.get_logger(__name__)

_PROC: Final = Path("/proc")
_START: Final = 19
"""Where a process' start stands in ``/proc/<pid>/stat`` behind its name (proc(5), field 22)."""


@lru_cache(maxsize=1)
def machine() -> str:
    """This machine since its last start; in a container the container, for its numbers of processes are its own."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii")
        numbers = str((_PROC / "self/ns/pid").stat().st_ino)
    except OSError:
        boot, numbers = gethostname(), str(int(psutil.boot_time()))
    return sha256(f"{boot} {numbers}".encode()).hexdigest()[:12]


def owner_token() -> str:
    """A new owner token: ``<process>.<random>``. A process is its number and its start: numbers are used again."""
    return f"{_process(os.getpid())}.{fresh_id()}"


def owner_tokens(count: int) -> list[str]:
    """As many, drawn at once."""
    drawn = owner_token()
    return [f"{drawn}-{place}" for place in range(count)]


@lru_cache(maxsize=4)
def _process(pid: int) -> str:
    return f"{machine()}-{pid}-{_started(pid)}"


def _started(pid: int) -> str | None:
    """When a process was started, in a form of the system's own; none: it is gone, or only its entry is left."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None if _PROC.joinpath("self").exists() else _started_elsewhere(pid)
    except (ProcessLookupError, PermissionError):
        return None
    words = stat.rpartition(")")[2].split()
    return None if words[0] in "ZX" else words[_START]


def _started_elsewhere(pid: int) -> str | None:
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else str(int(process.create_time() * 100))
    except psutil.NoSuchProcess:
        return None


def _lives(name: str) -> bool:
    _, pid, started = name.rsplit("-", maxsplit=2)
    return _started(int(pid)) == started


class Roll:
    """The processes of this machine that may hold leases.

    Args:
        redis: a client that does not decode responses.
    """

    def __init__(self, redis: "Redis") -> None:
        self._redis = redis
        self._key = f"by:procs:{machine()}"
        self._name = _process(os.getpid())
        self._bury = redis.register_script(scripts.source("bury"))

    def call(self) -> int:
        """Be on the roll, and free what the dead of this machine hold; how much that was.

        Raises:
            RedisError: Redis is away. Nothing is forgotten: the next call does it.
        """
        with self._redis.pipeline(transaction=False) as pipe:
            # Again each time: Redis may have lost it.
            pipe.sadd(self._key, self._name)
            pipe.smembers(self._key)
            _, names = pipe.execute()
        dead = [name for name in (raw.decode() for raw in names) if not _lives(name)]
        if not dead:
            return 0
        freed = int(self._bury(args=dead))
        self._redis.srem(self._key, *dead)
        log.warning("leases_of_the_dead_freed", processes=len(dead), leases=freed)
        return freed

    def leave(self) -> None:
        """This process ends, and holds nothing any more."""
        self._redis.srem(self._key, self._name)
