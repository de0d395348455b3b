"""``botyard status``."""

import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from botyard.commands.output import NOT_RUNNING, AsJson, attached, say, show, show_json

if TYPE_CHECKING:
    from botyard.processing.retention import Kept


def status(*, as_json: AsJson = False) -> None:
    """Show what `botyard run` keeps running in this folder, and how much it keeps; exit code 3 when nothing runs."""
    from botyard.settings import get_settings  # noqa: PLC0415
    from botyard.supervisor import read_status, running_pid  # noqa: PLC0415

    state = get_settings().state_dir.absolute()
    if running_pid(state) is None:
        print(f"Nothing runs in {state}. Start it with `botyard run`.", file=sys.stderr)  # noqa: T201
        raise typer.Exit(NOT_RUNNING)
    now = time.time()
    rows = [
        {"process": one.name, "pid": one.pid, "up_seconds": round(now - one.started) if one.started else None,
         "restarts": one.restarts}
        for one in read_status(state)
    ]  # fmt: skip
    kept = _kept()
    if as_json:
        show_json({"processes": rows, "kept": [asdict(one) for one in kept]})
        return
    show(rows, as_json=False)
    if kept:
        say("")
        show([_line(one) for one in kept], as_json=False)


def _kept() -> "list[Kept]":
    from botyard.processing.retention import kept  # noqa: PLC0415
    from db.engine import DATABASE_TROUBLE  # noqa: PLC0415

    try:
        return kept(attached())
    except DATABASE_TROUBLE as error:
        say(f"How much is kept cannot be said: the database does not answer ({type(error).__name__}).")
        return []


def _line(one: "Kept") -> dict[str, Any]:
    from rich.filesize import decimal  # noqa: PLC0415

    lasts = "for ever" if one.hours is None else f"{one.hours // 24} days"
    return {"kept": one.table, "rows, about": one.rows, "size": decimal(one.size), "for": lasts}
