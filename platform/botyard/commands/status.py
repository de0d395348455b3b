"""``botyard status``."""

import sys
import time

import typer

from botyard.commands.output import AsJson, show


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
    show(rows, as_json=as_json)
