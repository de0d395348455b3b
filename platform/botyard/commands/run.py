"""``botyard run``."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer


def run(
    script: Annotated[
        Path | None,
        typer.Argument(help="A python-telegram-bot script of your own, which ends in run_polling().", exists=True),
    ] = None,
    *,
    dev: Annotated[
        bool, typer.Option(help="Restart what a change of the code touches, without losing anything.")
    ] = False,
) -> None:
    """Run everything on this machine, with a demo bot, or a bot of your own, to chat with in the browser."""
    from botyard.running.start import run as start  # noqa: PLC0415
    from botyard.settings import read_settings  # noqa: PLC0415

    raise typer.Exit(asyncio.run(start(read_settings(), development=dev, script=script)))
