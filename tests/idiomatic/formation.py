"""The formation of the end-to-end tests, with a second worker of every queue."""

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from botyard.embedded import PostgresServer, ValkeyServer
from botyard.supervisor import Process, Step
from tests.e2e import formation

WORKERS = ("worker", "worker_slow", "worker_outbound", "worker_maintenance")
_single = formation.processes


def twin(name: str) -> str:
    """The name of the second worker beside another."""
    return f"{name}-2"


def processes(folder: Path, postgres: PostgresServer, valkey: ValkeyServer) -> list[Process | Step]:
    """The processes of the end-to-end tests, and the second workers, which are named as on another machine."""
    found = _single(folder, postgres, valkey)
    return [*found, *(_second(folder, one) for one in found if isinstance(one, Process) and one.name in WORKERS)]


def _second(folder: Path, first: Process) -> Process:
    told = folder / "ready" / twin(first.name)
    told.unlink(missing_ok=True)
    return replace(
        first,
        name=twin(first.name),
        argv=[part.replace("@%h", "2@%h") for part in first.argv],
        env={"BOTYARD_READY_FILE": str(told)},
        ready=formation._told(told),
        log_file=folder / f"{twin(first.name)}.log",
    )


if __name__ == "__main__":
    formation.processes = processes
    sys.exit(asyncio.run(formation.main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
