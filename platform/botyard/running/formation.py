"""The small formation: the Procfile's roles in few processes, for one machine. See docs/running.md."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from botyard.settings import Settings
from botyard.supervisor import Process, Step

SERVERS, WORK, WATCH = range(3)
_STOP_SECONDS: Final = 30
_START_SECONDS: Final = 60
_BIN: Final = Path(sys.executable).parent
UVICORN: Final = (
    "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--no-server-header", "--no-proxy-headers",
)  # fmt: skip
"""How web processes are served, as the Procfile has it."""


def celery_command(*words: str) -> list[str]:
    """Celery of this environment, without its banner."""
    return [str(_BIN / "celery"), "--quiet", "-A", "tasks", *words]


def worker_command(name: str, queues: str, pool: str, slots: int) -> list[str]:
    """A worker of these queues."""
    quick = ("--without-mingle", "--without-gossip")
    return celery_command("worker", "-n", f"{name}@%h", "-Q", queues, "-P", pool, "-c", str(slots), *quick)


def web_command(settings: Settings) -> list[str]:
    """The web process."""
    address = ("--host", settings.web_host, "--port", str(settings.web_port), "--workers", str(settings.web_workers))
    quiet = ("--log-level", "warning", "--timeout-graceful-shutdown", "10")
    return [str(_BIN / "uvicorn"), "botyard.web:app", *address, *UVICORN, *quiet]


def simulator_command(settings: Settings, state: Path) -> list[str]:
    """The simulated Telegram."""
    address = ("--host", settings.simulator_host, "--port", str(settings.simulator_port))
    return [sys.executable, "-m", "botyard.simulator", *address, "--state", str(state / "simulator.json")]


def simulator_url(settings: Settings) -> str:
    """Where the simulated Telegram of this installation answers."""
    return f"http://{settings.simulator_host}:{settings.simulator_port}"


def botyard_command(*words: str) -> list[str]:
    """This very program."""
    return [sys.executable, "-m", "botyard.cli", *words]


def small_formation(settings: Settings, state: Path, environment: Mapping[str, str]) -> list[Process]:
    """Web, one prefork and one threads worker, beat, the poller, the simulator, and Flower last."""
    logs = state / "logs"

    def process(
        name: str, argv: Sequence[str], ready: Callable[[], Awaitable[bool]] | None = None, stage: int = WORK
    ) -> Process:
        told = state / "ready" / name
        told.parent.mkdir(mode=0o700, exist_ok=True)
        # A warm shutdown of a busy prefork pool hangs for half a minute; the soft one does not.
        own = {**environment, "BOTYARD_READY_FILE": str(told), "REMAP_SIGTERM": "SIGQUIT"}
        return Process(
            name=name,
            argv=argv,
            env=own,
            ready=ready,
            ready_file=None if ready else told,
            ready_seconds=_START_SECONDS,
            stop_seconds=_STOP_SECONDS,
            stage=stage,
            log_file=logs / f"{name}.log",
            quiet_end=True,
        )

    web_ready = _answers(settings.web_host, settings.web_port)
    simulator_ready = _answers(settings.simulator_host, settings.simulator_port)
    return [
        process("simulator", simulator_command(settings, state), simulator_ready, stage=SERVERS),
        process("web", web_command(settings), web_ready),
        process("worker", worker_command("worker", "updates,maintenance", "prefork", 2)),
        process("threads", worker_command("threads", "slow,outbound", "threads", 16)),
        process("beat", celery_command("beat")),
        # Bots may be added at any time, and without a public address their updates are fetched.
        process("poller", botyard_command("poller"), _at_once),
        process("flower", botyard_command("flower"), _at_once, stage=WATCH),
    ]


def prepare_step(environment: Mapping[str, str], *, remember: bool) -> Step:
    """Migrate and connect the demo bot, before the workers start."""
    words = ("prepare", "--remember") if remember else ("prepare",)
    return Step("prepare", botyard_command(*words), env=environment, stage=WORK)


def own_bot_step(environment: Mapping[str, str]) -> Step:
    """Connect the bot of BOT_TOKEN: at every start, for its token, its handlers and its webhook may have changed."""
    return Step("bot", [sys.executable, "-m", "botyard.running.own_bots"], env=environment, stage=WORK)


async def _at_once() -> bool:
    """Nobody waits for it."""
    return True


def _answers(host: str, port: int) -> Callable[[], Awaitable[bool]]:
    async def ready() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1" if host == "0.0.0.0" else host, port)  # noqa: S104
        except OSError:
            return False
        writer.close()
        return True

    return ready
