"""``botyard logs``."""

import contextlib
import re
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from botyard.commands.output import NOT_RUNNING, AsJson, complete_bot, console, say
from botyard.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from botyard.running.logs import Line

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_COLOURS: Final = ("cyan", "green", "magenta", "blue", "bright_cyan", "bright_green", "bright_magenta", "bright_blue")
_STYLES: Final = {"debug": "dim", "info": "", "warning": "yellow", "error": "red"}


def logs(
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    process: Annotated[str | None, typer.Option(help="Of this process only, as `botyard status` names it.")] = None,
    bot: Annotated[str | None, typer.Option(help="Lines that name this bot.", autocompletion=complete_bot)] = None,
    level: Annotated[Literal["debug", "info", "warning", "error"], typer.Option(help="The least level.")] = "debug",
    since: Annotated[str | None, typer.Option(help="How far back: 90s, 10m, 2h or 1d.")] = None,
    lines: Annotated[int, typer.Option(min=0, help="How many lines at most, the latest ones.")] = 200,
    as_json: AsJson = False,
) -> None:
    """Show what the processes of `botyard run` have written, all in one order. With --json: one object a line."""
    from botyard.running import logs as kept  # noqa: PLC0415
    from botyard.settings import get_settings  # noqa: PLC0415

    folder = get_settings().state_dir.absolute() / "logs"
    known = kept.processes(folder)
    if not known:
        say(f"botyard: There are no logs in {folder}. Start with `botyard run`; processes that something else starts")
        say("write to their own output: see journalctl, or the logs of the container.")
        raise typer.Exit(NOT_RUNNING)
    if process is not None and process not in known:
        raise InputError("process", f"{process} has no log.", f"There are: {', '.join(known)}.")
    began = time.time() - _seconds(since) if since else None
    wanted = kept.Wanted(process, level, began, _numbers(bot) if bot else frozenset())
    out = console()
    ends = kept.ends(folder)
    for line in kept.read(folder, wanted, lines, ends):
        _print(out, line, known, as_json=as_json)
    if follow:
        with contextlib.suppress(KeyboardInterrupt):
            for line in kept.follow(folder, wanted, ends):
                _print(out, line, known, as_json=as_json)


def _print(out: "Console", line: "Line", known: list[str], *, as_json: bool) -> None:
    if as_json:
        import json  # noqa: PLC0415

        print(json.dumps(asdict(line), ensure_ascii=False), flush=True)  # noqa: T201
        return
    from rich.text import Text  # noqa: PLC0415

    place = known.index(line.process) if line.process in known else 0
    width = max(map(len, known))
    for text in line.text.splitlines() or [""]:
        prefix = Text(f"{line.process:<{width}} | ", style=_COLOURS[place % len(_COLOURS)])
        out.print(prefix + Text.from_ansi(text, style=_STYLES[line.level]), soft_wrap=True)


def _seconds(since: str) -> float:
    found = re.fullmatch(r"(\d{1,6})([smhd])", since)
    if found is None:
        raise typer.BadParameter("write it as 90s, 10m, 2h or 1d.", param_hint="--since")
    return int(found[1]) * _UNITS[found[2]]


def _numbers(bot: str) -> frozenset[int]:
    """The numbers under which a bot appears in logs; a number is taken as it is, so that nothing need run for it."""
    if bot.isdecimal():
        return frozenset({int(bot)})
    from botyard.bots.naming import bot_numbers  # noqa: PLC0415
    from botyard.commands.output import attached  # noqa: PLC0415

    attached()
    return bot_numbers(bot)
