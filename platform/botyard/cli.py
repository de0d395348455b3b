"""The ``botyard`` command. Each subcommand imports only what it needs, so that the supervisor stays small."""

import asyncio
import json
import os
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from botyard.errors import InputError

if TYPE_CHECKING:
    from botyard.settings import Settings

AsJson = Annotated[bool, typer.Option("--json", help="JSON of a stable shape instead of a table.")]
BotName = Annotated[str, typer.Argument(help="Its number in the list, or its username.")]

app = typer.Typer(help="A home for a yard full of Telegram bots.", no_args_is_help=True, add_completion=True)
keys = typer.Typer(help="Keys that encrypt tokens at rest.", no_args_is_help=True)
bot = typer.Typer(help="Bots.", no_args_is_help=True)
app.add_typer(keys, name="keys")
app.add_typer(bot, name="bot")


@app.command()
def run() -> None:
    """Run everything on this machine, with a demo bot to chat with in the browser."""
    from botyard.running.start import run as start  # noqa: PLC0415
    from botyard.settings import read_settings  # noqa: PLC0415

    raise typer.Exit(asyncio.run(start(read_settings())))


@app.command()
def migrate() -> None:
    """Create the database and its roles if they are missing, and bring the tables up to date."""
    from db.migrate import upgrade  # noqa: PLC0415

    upgrade()
    print("The database is up to date.")  # noqa: T201


@app.command()
def poller() -> None:
    """Fetch updates by long polling, for bots that no webhook can reach."""
    from botyard.polling import run as poll  # noqa: PLC0415

    asyncio.run(poll())


@app.command()
def flower() -> None:
    """Show Celery's tasks: on the loopback, behind a password, read-only."""
    from botyard.running.flower import run as watch  # noqa: PLC0415

    watch()


@app.command(hidden=True)
def prepare(*, remember: Annotated[bool, typer.Option(help="Note it for the next start.")] = False) -> None:
    """What `botyard run` does before the workers start: migrate, and connect the demo bot."""
    from botyard.running.own_bots import connect_demo, connect_own  # noqa: PLC0415
    from botyard.running.prepared import note_own_bot, note_prepared  # noqa: PLC0415
    from botyard.settings import get_settings  # noqa: PLC0415
    from db.migrate import upgrade  # noqa: PLC0415

    settings = get_settings()
    upgrade()
    asyncio.run(connect_demo(os.environ["BOTYARD_DEMO_TOKEN"]))
    own = asyncio.run(connect_own(settings)).username if settings.bot_token is not None else None
    note_own_bot(settings.state_dir, own)
    if remember:
        note_prepared(settings.state_dir, settings)


@keys.command()
def generate() -> None:
    """Print a new key for SECRET_KEY."""
    from cryptography.fernet import Fernet  # noqa: PLC0415

    print(Fernet.generate_key().decode())  # noqa: T201


@app.command()
def status(*, as_json: AsJson = False) -> None:
    """Show what `botyard run` keeps running in this folder; exit code 3 when nothing runs."""
    from botyard.settings import get_settings  # noqa: PLC0415
    from botyard.supervisor import read_status, running_pid  # noqa: PLC0415

    state = get_settings().state_dir.absolute()
    if running_pid(state) is None:
        print(f"Nothing runs in {state}. Start it with `botyard run`.", file=sys.stderr)  # noqa: T201
        raise typer.Exit(3)
    now = time.time()
    rows = [
        {"process": one.name, "pid": one.pid, "up_seconds": round(now - one.started) if one.started else None,
         "restarts": one.restarts}
        for one in read_status(state)
    ]  # fmt: skip
    _show(rows, as_json=as_json)


@bot.command(name="list")
def list_bots(*, as_json: AsJson = False) -> None:
    """List the bots, and how many updates wait for each."""
    from botyard.bots.overview import summaries  # noqa: PLC0415

    _show([asdict(summary) for summary in summaries(_attached())], as_json=as_json)


@bot.command()
def pause(name: BotName, *, as_json: AsJson = False) -> None:
    """Let a bot's updates wait; nothing of them is lost."""
    from botyard.bots.overview import set_status  # noqa: PLC0415

    _show([asdict(set_status(name, "paused", _attached()))], as_json=as_json)


@bot.command()
def resume(name: BotName, *, as_json: AsJson = False) -> None:
    """Let a paused bot go on where it stopped."""
    from botyard.bots.overview import set_status  # noqa: PLC0415

    _show([asdict(set_status(name, "active", _attached()))], as_json=as_json)


def _attached() -> "Settings":
    """The settings of the installation that runs in this folder, or of the environment."""
    from botyard.running.attached import attach  # noqa: PLC0415
    from botyard.settings import get_settings  # noqa: PLC0415

    attach()
    return get_settings()


def _show(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    """A table for people, or JSON for programs, on standard output."""
    if as_json:
        print(json.dumps(rows, indent=2))  # noqa: T201
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(*(rows[0] if rows else ("nothing yet",)), box=None, header_style="bold")
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    Console().print(table)


@bot.command()
def add(
    kind: Annotated[str, typer.Option(help="An installed kind, or package.module:function.")] = "demo",
    queue: Annotated[str, typer.Option(help="updates for quick bots, slow for all others.")] = "slow",
) -> None:
    """Add a bot; its token is asked for, so that it stands in no history of a shell."""
    from botyard.bots.services import NewBot, add_bot  # noqa: PLC0415
    from botyard.telegram.request import AiohttpRequest  # noqa: PLC0415

    token = sys.stdin.readline().strip() if not sys.stdin.isatty() else typer.prompt("Token", hide_input=True)

    async def connect() -> int:
        settings = _attached()
        request = AiohttpRequest(settings.api_timeout_seconds)
        try:
            new = NewBot(token, kind, settings.api_url, queue, settings.webhook_base_url, settings.take_over)
            return (await add_bot(new, request, settings)).id
        finally:
            await request.close()

    print(f"Bot {asyncio.run(connect())} is connected.")  # noqa: T201


def main() -> None:
    """Run the command; what a person can mend ends as one line."""
    try:
        app()
    except InputError as error:
        print(f"botyard: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(1)


if __name__ == "__main__":
    main()
