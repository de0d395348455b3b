"""What every command shares: which installation it works on, and how it shows what it found."""

import getpass
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from botyard.checks.finding import Finding
    from botyard.settings import Settings

AsJson = Annotated[bool, typer.Option("--json", help="JSON of a stable shape instead of a table.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

Reason = Annotated[str | None, typer.Option(help="Why, for those who look at it.")]

TROUBLE: Final = 1
WRONG_USE: Final = 2
NOT_RUNNING: Final = 3

_PIPE_WIDTH: Final = 400
_STYLES: Final = {"ok": "green", "warning": "yellow", "trouble": "bold red"}


def attached() -> "Settings":
    """The settings of the installation that runs in this folder, or of the environment.

    Raises:
        NotRunning: nothing runs here, and the environment names no servers.
    """
    import structlog  # noqa: PLC0415

    from botyard.running.attached import attached_settings  # noqa: PLC0415
    from db.acting import act_as  # noqa: PLC0415

    # Standard output is for results, and for programs that read them.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    act_as(f"cli:{_who()}")
    return attached_settings()


def _who() -> str:
    """Whose hands are on the keyboard; in a container they may have no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def say(text: str) -> None:
    """One line that is not the result: on standard error."""
    print(text, file=sys.stderr)  # noqa: T201


def show_json(found: Any) -> None:
    """The result for programs."""
    print(json.dumps(found, indent=2, default=_plain, ensure_ascii=False))  # noqa: T201


def console() -> "Console":
    """Standard output; what is no terminal is not broken into lines of a terminal's width."""
    from rich.console import Console  # noqa: PLC0415

    return Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH, highlight=False)


def show(rows: list[dict[str, Any]], *, as_json: bool, nothing: str = "nothing yet") -> None:
    """A table for people, or JSON for programs, on standard output."""
    if as_json:
        show_json(rows)
        return
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    if not rows:
        say(nothing)
        return
    table = Table(*rows[0], box=None, header_style="bold")
    for row in rows:
        table.add_row(*(Text(_words(value)) for value in row.values()))
    console().print(table)


def show_one(row: dict[str, Any], *, as_json: bool) -> None:
    """One thing, a line for each of its properties."""
    if as_json:
        show_json(row)
        return
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table.grid(padding=(0, 2))
    for name, value in row.items():
        table.add_row(Text(name, style="bold"), Text(_words(value)))
    console().print(table)


def show_findings(findings: "Sequence[Finding]", *, as_json: bool) -> None:
    """What was looked at; ends the command with exit code 1 if there is trouble."""
    if as_json:
        show_json([asdict(finding) for finding in findings])
    else:
        from rich.table import Table  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        table = Table.grid(padding=(0, 2))
        for one in findings:
            table.add_row(Text(one.state, style=_STYLES[one.state]), one.check, Text(one.says))
            if one.remedy:
                table.add_row("", "", Text(f"→ {one.remedy}", style="bold"))
        console().print(table)
    if any(finding.state == "trouble" for finding in findings):
        raise typer.Exit(TROUBLE)


def confirm(question: str, *, yes: bool) -> None:
    """Go on only if somebody wants it.

    Raises:
        typer.Exit: nobody is there to ask (2), or the answer was no (1).
    """
    if yes:
        return
    if not sys.stdin.isatty():
        say(f"botyard: {question} Nobody is there to ask: say --yes.")
        raise typer.Exit(WRONG_USE)
    if not typer.confirm(question, err=True):
        say("Nothing was changed.")
        raise typer.Exit(TROUBLE)


def complete_bot(incomplete: str) -> list[str]:
    """The bots whose names begin so, while the yard runs; for the shell's completion, which shows no errors."""
    try:
        from botyard.bots.naming import bot_names  # noqa: PLC0415
        from botyard.checks.finding import within  # noqa: PLC0415

        attached()
        names = within(bot_names, 1.0)
    except Exception:  # noqa: BLE001 - in the middle of a line that somebody types nothing may be printed
        return []
    at = "@" if incomplete.startswith("@") else ""
    return [at + name for name in names if name.lower().startswith(incomplete.removeprefix("@").lower())]


BotName = Annotated[
    str,
    typer.Argument(
        help="@username, its number in the list, Telegram's number, or its public name.", autocompletion=complete_bot
    ),
]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    raise TypeError(type(value).__name__)


def _words(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, list) and value and all(isinstance(one, datetime) for one in value):
        # As the clock shows them where they are meant.
        return "\n".join(one.isoformat(" ", "minutes") for one in value)
    return f"{value:.1f}" if isinstance(value, float) else str(value)
