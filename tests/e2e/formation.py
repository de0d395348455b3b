"""The whole system as separate processes, as the Procfile says, under the project's own supervisor.

``python -m tests.e2e.formation FOLDER PORT…``: everything else comes by environment.
"""

import asyncio
import os
import sys
from pathlib import Path

from botyard.embedded import PostgresServer, ValkeyServer
from botyard.running.formation import small_formation
from botyard.settings import get_settings
from botyard.supervisor import Console, Process, StateFolder, Step, Supervisor

ROOT = Path(__file__).parent.parent.parent
LEFT_OUT = ("release", "flower", "poller")


def procfile() -> dict[str, str]:
    """The Procfile's commands by process type."""
    lines = (ROOT / "Procfile").read_text().splitlines()
    return {name: command.strip() for name, _, command in (line.partition(":") for line in lines) if command}


def processes(folder: Path, postgres: PostgresServer, valkey: ValkeyServer) -> list[Process | Step]:
    """Two servers, the simulator, the release step, then every process type."""
    ready = folder / "ready"
    ready.mkdir(exist_ok=True)
    small = {entry.name: entry for entry in small_formation(get_settings(), folder, {})}
    simulator = small["simulator"]
    assert isinstance(simulator, Process)
    found: list[Process | Step] = [
        _server("postgres", postgres, folder),
        _server("valkey", valkey, folder),
        Process("simulator", [*simulator.argv[:-2]], ready=simulator.ready, stage=0, log_file=folder / "simulator.log"),
        Step("release", ["sh", "-c", f"exec {procfile()['release']}"], stage=1),
    ]
    web = small["web"]
    assert isinstance(web, Process)
    for name, command in procfile().items():
        if name in LEFT_OUT:
            continue
        told = ready / name
        told.unlink(missing_ok=True)
        found.append(
            Process(
                name,
                ["sh", "-c", f"exec {command}"],
                env={"BOTYARD_READY_FILE": str(told)},
                ready=web.ready if name == "web" else _told(told),
                ready_seconds=90,
                stage=1,
                log_file=folder / f"{name}.log",
                echo=False,
            )
        )
    return found


def _told(file: Path):  # type: ignore[no-untyped-def] # noqa: ANN202
    async def ready() -> bool:
        return file.exists()  # noqa: ASYNC240

    return ready


def _server(name: str, server: PostgresServer | ValkeyServer, folder: Path) -> Process:
    server.initialise()
    return Process(
        name,
        server.command(),
        env=server.environment() if isinstance(server, PostgresServer) else {},
        stop_signal=server.stop_signal,
        death_signal=server.stop_signal,
        ready=server.ready,
        log_file=folder / f"{name}.log",
        echo=False,
    )


async def main(folder: Path, postgres_port: int, valkey_port: int) -> int:
    """Run until told to stop."""
    password = os.environ["YARD_PASSWORD"]
    with StateFolder(folder) as state:
        postgres = PostgresServer(folder / "postgres", postgres_port, password=password)
        valkey = ValkeyServer(folder / "valkey", valkey_port, password=password)
        console = Console()
        supervisor = Supervisor(processes(folder, postgres, valkey), state=state, output=console)
        try:
            return await supervisor.run((folder / "up").touch)
        finally:
            console.close()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
