"""Starting and stopping everything on this machine. See docs/running.md."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from botyard.bots.token_shape import check_token
from botyard.embedded import PostgresServer, ValkeyServer, free_port, require_free_port
from botyard.embedded.disk import full_disk, no_room, room_is_scant
from botyard.running.attached import note_environment
from botyard.running.first_person import tell_first_link
from botyard.running.formation import SERVERS, own_bot_step, prepare_step, simulator_url, small_formation
from botyard.running.local_secrets import LocalSecrets, load_or_make
from botyard.running.own_connection import connect_later, own_greeting
from botyard.running.own_script import of_script, on_simulator
from botyard.running.prepared import OwnBot, is_prepared, note_own_bot
from botyard.running.state_format import check_format, note_format
from botyard.settings import Settings
from botyard.supervisor import Console, Process, StateFolder, Step, Supervisor

if TYPE_CHECKING:
    from botyard.running.development import Development

_DATABASE: Final = "botyard"


def _postgres(state: Path, made: LocalSecrets) -> tuple[Process, dict[str, str]]:
    server = PostgresServer(state / "postgres", free_port(), password=made.postgres_password)
    server.initialise()
    process = Process(
        name="postgres",
        argv=server.command(),
        env=server.environment(),
        stop_signal=server.stop_signal,
        death_signal=server.stop_signal,
        ready=server.ready,
        stage=SERVERS,
        log_file=state / "logs" / "postgres.log",
        echo=False,
    )
    return process, {
        "DATABASE_URL": server.url("botyard_app", made.application_password, _DATABASE),
        "DATABASE_SYSTEM_URL": server.url("botyard_system", made.system_password, _DATABASE),
        "DATABASE_OWNER_URL": server.url("postgres", made.postgres_password, _DATABASE),
    }


def _valkey(state: Path, made: LocalSecrets, settings: Settings) -> tuple[Process, dict[str, str]]:
    fsync: Literal["always", "everysec"] = "always" if settings.durability == "machine" else "everysec"
    server = ValkeyServer(state / "valkey", free_port(), password=made.redis_password, fsync=fsync)
    server.initialise()
    process = Process(
        name="valkey",
        argv=server.command(),
        env=server.environment(),
        stop_signal=server.stop_signal,
        death_signal=server.stop_signal,
        ready=server.ready,
        stage=SERVERS,
        log_file=state / "logs" / "valkey.log",
        echo=False,
    )
    return process, {"REDIS_URL": server.url}


def _assemble(settings: Settings, state: Path) -> tuple[list[Process | Step], Mapping[str, str]]:
    made = load_or_make(state)
    (state / "logs").mkdir(mode=0o700, exist_ok=True)
    processes: list[Process | Step] = []
    environment = {
        "STATE_DIR": str(state),
        "API_URL": settings.api_url,
        "WEBHOOK_BASE_URL": _webhook_base_url(settings),
        "FLOWER_PASSWORD": made.flower_password,
        "BOTYARD_DEMO_TOKEN": made.demo_token,
        "FAILURE_NOTES_URL": settings.failure_notes_url or f"{simulator_url(settings)}/sim/notes",
        # Each idle connection is a process of some megabytes in PostgreSQL.
        "DATABASE_POOL_SIZE": str(min(settings.database_pool_size, 2)),
        # Two arenas instead of sixteen: many threads that mostly wait would each keep a heap of their own.
        "MALLOC_ARENA_MAX": "2",
        # The tickets are JSON and the broker is ours alone: Celery's warning about root is about neither.
        "PYTHONWARNINGS": "ignore:You're running the worker with superuser",
    }
    environment |= _given(settings)
    if not {"SECRET_KEY", "SECRET_KEY_FILE", "SECRET_KEY_COMMAND"} & set(environment):
        environment["SECRET_KEY"] = made.secret_key
    if settings.database_url is None:
        process, urls = _postgres(state, made)
        processes.append(process)
        environment |= urls
    if settings.redis_url is None:
        process, urls = _valkey(state, made, settings)
        processes.append(process)
        environment |= urls
    if not is_prepared(state, settings.model_copy(update={"webhook_base_url": _webhook_base_url(settings)})):
        processes.append(prepare_step(environment, remember=settings.database_url is None))
    if settings.bot_token is not None:
        note_own_bot(state, OwnBot())
        processes.append(own_bot_step(environment))
    return [*processes, *small_formation(settings, state, environment)], environment


def _given(settings: Settings) -> dict[str, str]:
    """What somebody has chosen, in the environment or by the script that is to be run."""
    given = {"PUBLIC_URL": settings.public_url} if settings.public_url is not None else {}
    for name in ("secret_key", "secret_key_file", "secret_key_command", "flower_password", "bot_token"):
        if getattr(settings, name) is not None:
            given[name.upper()] = settings.require(name)
    return given | ({"BOT_KIND": settings.bot_kind} if settings.bot_token is not None else {})


def _webhook_base_url(settings: Settings) -> str:
    """Where the simulator reaches our web process."""
    return f"http://127.0.0.1:{settings.web_port}"


async def run(settings: Settings, *, development: bool = False, script: Path | None = None) -> int:
    """Start everything, keep it running until Ctrl-C, stop everything; the exit status.

    Args:
        settings: of this run.
        script: a bot of one's own, beside the demo bot.
        development: follow changes of the code.

    Raises:
        InputError: a port is busy, the state folder cannot be used or is in use already, its disk is full, or a setting
            cannot be right.
    """
    if script is not None:
        settings = of_script(settings, script)
    if settings.bot_token is not None:
        check_token(settings.require("bot_token"), "BOT_TOKEN")
    state = settings.state_dir.absolute()
    check_format(state)
    try:
        with StateFolder(state) as folder:
            note_format(state)
            require_free_port("WEB_PORT", settings.web_port, settings.web_host)
            require_free_port("SIMULATOR_PORT", settings.simulator_port, settings.simulator_host)
            require_free_port("FLOWER_PORT", settings.flower_port)
            if script is not None and settings.bot_token is None:
                settings = on_simulator(settings, load_or_make(state))
            return await _run_in(settings, folder, development=development)
    except OSError as error:
        if no_room(error):
            raise full_disk(state) from None
        raise


async def _run_in(settings: Settings, folder: StateFolder, *, development: bool) -> int:
    state = folder.path
    processes, environment = _assemble(settings, state)
    note_environment(state, environment)
    console = Console()

    def say(line: str) -> None:
        console("botyard", line)

    supervisor = Supervisor(processes, state=folder, output=console)
    connect = own_bot_step(environment)

    async def on_ready() -> None:
        for line in _greeting(settings, environment):
            say(line)
        works = [connect_later(settings, state, connect, say), tell_first_link(environment, say)]
        if watcher is not None:
            prepare = prepare_step(environment, remember=settings.database_url is None)
            works.append(watcher.follow(supervisor, [prepare, *([connect] if settings.bot_token else [])]))
        await asyncio.gather(*works)

    try:
        kind = settings.bot_kind if settings.bot_token is not None else None
        watcher = await _watcher(state, environment, kind, say) if development else None
        code = await supervisor.run(on_ready)
        if code and room_is_scant(state):
            say(str(full_disk(state)))
        return code
    finally:
        console.close()


async def _watcher(
    state: Path, environment: Mapping[str, str], kind: str | None, say: Callable[[str], None]
) -> "Development":
    """What follows the changes of the code, once that can be started at all."""
    from botyard.running.development import Development  # noqa: PLC0415 - an ordinary run need not carry the watcher

    watcher = Development(state, environment, kind, say)
    await watcher.until_it_can_start()
    return watcher


def _greeting(settings: Settings, environment: Mapping[str, str]) -> list[str]:
    return [
        "",
        *own_greeting(settings, Path(environment["STATE_DIR"])),
        f"Botyard is running. Chat with the demo bot:  {simulator_url(settings)}/",
        f"Tasks (Flower):  http://127.0.0.1:{settings.flower_port}/flower/",
        f"    user {settings.flower_user}, password {environment['FLOWER_PASSWORD']}",
        f"REST API:  http://127.0.0.1:{settings.web_port}/api/docs",
        f"Health and figures:  http://127.0.0.1:{settings.web_port}/ready  /metrics",
        f"State and logs are kept in {environment['STATE_DIR']}. Ctrl-C stops everything.",
        "",
    ]
