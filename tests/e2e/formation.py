"""The whole system as separate processes, as the Procfile says, under the project's own supervisor.

``python -m tests.e2e.formation FOLDER PORT…``: everything else comes by environment. ``FORMATION`` may hold, as JSON,
``twins``: process types that run twice, as on two machines; ``told``: what a process is told instead of what all are
told, ``{"web": {"REDIS_URL": …}}``; ``entries``: what stands in the Procfile's commands instead of something else;
``simulator``: on which port it listens, if that is not the one by which it is known; ``code``: a folder with a link of
each process' name to the checkout that it runs.
"""

import asyncio
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal

from botyard.embedded import PostgresServer, ValkeyServer
from botyard.running.formation import small_formation
from botyard.settings import get_settings
from botyard.supervisor import Console, Process, StateFolder, Step, Supervisor

ROOT = Path(__file__).parent.parent.parent
LEFT_OUT = ("release", "flower", "poller")
FORMATION: Final = "FORMATION"


def procfile() -> dict[str, str]:
    """The Procfile's commands by process type."""
    lines = (ROOT / "Procfile").read_text().splitlines()
    return {name: command.strip() for name, _, command in (line.partition(":") for line in lines) if command}


def twin(name: str) -> str:
    """The name of the second process of a type."""
    return f"{name}-2"


def processes(folder: Path, postgres: PostgresServer, valkey: ValkeyServer) -> list[Process | Step]:
    """Two servers, the simulator, the release step, then every process type."""
    (folder / "ready").mkdir(exist_ok=True)
    small = {entry.name: entry for entry in small_formation(get_settings(), folder, {})}
    simulator = small["simulator"]
    assert isinstance(simulator, Process)
    asked = json.loads(os.environ.get(FORMATION, "{}"))
    listens = {str(get_settings().simulator_port): str(asked["simulator"])} if "simulator" in asked else {}
    found: list[Process | Step] = [
        _server("postgres", postgres, folder),
        _server("valkey", valkey, folder),
        Process(
            "simulator",
            [listens.get(word, word) for word in simulator.argv[:-2]],
            ready=simulator.ready,
            stage=0,
            log_file=folder / "simulator.log",
        ),
        Step("release", ["sh", "-c", f"exec {procfile()['release']}"], stage=1),
    ]
    for name, command in procfile().items():
        if name in LEFT_OUT:
            continue
        for plain, entry in asked.get("entries", {}).items():
            command = command.replace(plain, entry)  # noqa: PLW2901
        found.append(_of_type(name, command, folder, asked))
        if name in asked.get("twins", ()):
            found.append(_of_type(twin(name), command.replace("@%h", "2@%h"), folder, asked))
    web = small["web"]
    assert isinstance(web, Process)
    return [replace(one, ready=web.ready) if one.name == "web" and isinstance(one, Process) else one for one in found]


def _of_type(name: str, command: str, folder: Path, asked: dict[str, Any]) -> Process:
    told = folder / "ready" / name
    told.unlink(missing_ok=True)
    if "code" in asked:
        # Not in a checkout: what is imported is to come by the link, also after it has been changed.
        checkout = f"{asked['code']}/{name}"
        command = f'env -C "{folder}" PYTHONPATH="{checkout}/platform:{checkout}" {command}'
    return Process(
        name,
        ["sh", "-c", f"exec {command}"],
        env={"BOTYARD_READY_FILE": str(told), **asked.get("told", {}).get(name, {})},
        ready=_told(told),
        ready_seconds=90,
        stage=1,
        log_file=folder / f"{name}.log",
        echo=False,
    )


def _told(file: Path):  # type: ignore[no-untyped-def] # noqa: ANN202
    async def ready() -> bool:
        return file.exists()  # noqa: ASYNC240

    return ready


def _server(name: str, server: PostgresServer | ValkeyServer, folder: Path) -> Process:
    server.initialise()
    return Process(
        name,
        server.command(),
        env=server.environment(),
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
        fsync: Literal["always", "everysec"] = "always" if get_settings().durability == "machine" else "everysec"
        valkey = ValkeyServer(folder / "valkey", valkey_port, password=password, fsync=fsync)
        console = Console()
        supervisor = Supervisor(processes(folder, postgres, valkey), state=state, output=console)
        try:
            return await supervisor.run((folder / "up").touch)
        finally:
            console.close()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
