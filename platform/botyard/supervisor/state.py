"""The state folder: one supervisor at a time, a record of what runs, and the end of what an earlier run left."""

import contextlib
import fcntl
import json
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from botyard.errors import InputError

MARK = "BOTYARD_STATE_FOLDER"
"""The variable by which the processes of a state folder are known, whoever started them."""

_LOCK = "lock"
_STATUS = "status.json"
_LOCK_SECONDS = 0.2  # who only asks whether somebody runs here holds the lock for an instant
_STOP_SECONDS = 10
_KILL_SECONDS = 5
_POLL_SECONDS = 0.02
# Start times are computed from the boot time, which moves when the clock is set.
_SAME_START_SECONDS = 2.0


@dataclass(frozen=True)
class ProcessStatus:
    """One process as it is now.

    Args:
        name: as the supervisor knows it.
        pid: its process id, which is its process group's too; none while it is down.
        started: when this life began, seconds since the epoch; none while it is down.
        restarts: how often it was started again.
        stop_signal: the number of the signal that stops it.
    """

    name: str
    pid: int | None
    started: float | None
    restarts: int
    stop_signal: int


class StateFolder:
    """The folder of one supervisor, locked while this context is open.

    Entering makes the folder (0700), takes the lock, and stops what a killed run left.

    Args:
        path: the folder.

    Raises:
        InputError: on entering: a supervisor already runs here, or the folder cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self._lock: int | None = None

    def __enter__(self) -> Self:
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = _take_lock(self.path)
        except OSError as error:
            raise InputError(
                "STATE_DIR",
                f"{self.path} cannot be used ({error.strerror}).",
                "Run as its owner, or set STATE_DIR to another folder.",
            ) from None
        try:
            stop_leftovers(read_status(self.path), str(self.path))
            self.write_status([])
        except BaseException:
            self._unlock()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def write_status(self, processes: Iterable[ProcessStatus]) -> None:
        """Replace the record of what runs."""
        draft = self.path / f"{_STATUS}.new"
        draft.write_text(json.dumps([asdict(process) for process in processes], indent=2))
        draft.replace(self.path / _STATUS)


def read_status(folder: Path) -> list[ProcessStatus]:
    """What the last run in this folder recorded; it is of now only while `running_pid` says so."""
    try:
        return [ProcessStatus(**record) for record in json.loads((folder / _STATUS).read_text())]
    except (OSError, ValueError, TypeError):
        return []  # never run, or cut off by a full disk: nothing can be known


def running_pid(folder: Path) -> int | None:
    """The process id of the supervisor that runs in this folder now, if one does."""
    try:
        handle = os.open(folder / _LOCK, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _holder(folder)
    finally:
        os.close(handle)
    return None


def process_start(pid: int) -> float:
    """When a process began, in seconds since the epoch.

    Raises:
        psutil.Error: there is no such process.
    """
    return psutil.Process(pid).create_time()


def stop_leftovers(records: Iterable[ProcessStatus], mark: str) -> None:
    """Stop what is still alive of these processes and of the groups they led.

    A process id may have found another owner since. A leader counts only with its recorded start time, the
    rest of its group only with the mark in its environment.
    """
    records = [record for record in records if record.pid]
    for record in records:
        with contextlib.suppress(psutil.Error):
            if leader := _leader(record):
                leader.send_signal(record.stop_signal)
    _wait_until_gone(lambda: _leaders(records), _STOP_SECONDS)

    def rest() -> list[psutil.Process]:
        return _leaders(records) + _marked_members({record.pid for record in records}, mark)

    deadline = time.monotonic() + _KILL_SECONDS
    while left := rest():
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        if time.monotonic() > deadline:
            raise InputError(
                "STATE_DIR", f"process {left[0].pid} of an earlier run cannot be stopped.", "Stop it by hand."
            )
        time.sleep(_POLL_SECONDS)


def _wait_until_gone(find: Callable[[], list[psutil.Process]], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while find() and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)


def _leaders(records: Iterable[ProcessStatus]) -> list[psutil.Process]:
    return [leader for record in records if (leader := _leader(record))]


def _leader(record: ProcessStatus) -> psutil.Process | None:
    try:
        process = psutil.Process(record.pid)
        same = abs(process.create_time() - (record.started or 0)) < _SAME_START_SECONDS
        alive = process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return None
    return process if same and alive else None


def _marked_members(groups: set[int | None], mark: str) -> list[psutil.Process]:
    found = []
    for process in _members(groups):
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(MARK) == mark:
                found.append(process)
    return found


def _members(groups: set[int | None]) -> Iterator[psutil.Process]:
    """The living processes of these process groups."""
    for pid in psutil.pids():
        with contextlib.suppress(psutil.Error, OSError):
            if os.getpgid(pid) in groups:
                process = psutil.Process(pid)
                if process.status() != psutil.STATUS_ZOMBIE:
                    yield process


def _take_lock(folder: Path) -> int:
    """Lock the folder until the returned descriptor is closed, be it by the death of this process."""
    handle = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + _LOCK_SECONDS
    while not _lock(handle):
        if time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
            continue
        os.close(handle)
        pid = _holder(folder)
        raise InputError(
            "STATE_DIR",
            f"Botyard is already running in {folder} (pid {pid or 'unknown'}).",
            "Stop it first, or set STATE_DIR to another folder.",
        )
    os.truncate(handle, 0)
    os.write(handle, str(os.getpid()).encode())
    return handle


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(folder: Path) -> int | None:
    try:
        return int((folder / _LOCK).read_text())
    except (OSError, ValueError):
        return None


def kill_group(group: int) -> bool:
    """Send SIGKILL to a process group; whether anything of it may still be alive."""
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # the latter on macOS: only zombies are left
        return False
    # A group is there until its last zombie is reaped, and process 1 of a machine may take seconds for that.
    return any(_members({group}))


def reap_group(group: int) -> None:
    """Reap the orphans of a group whose leader is reaped already: as process 1 of a container they are ours."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-group, os.WNOHANG)[0]:
            pass
