"""``botyard export``: a bot written down in a file."""

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from botyard.commands.output import AsJson, BotName, attached, show_one

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def export(
    bot: BotName,
    *,
    to: Annotated[Path, typer.Option("--to", help="The file, a zip.")],
    replace: Annotated[bool, typer.Option("--replace", help="Write over a file that is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write everything that is kept of a bot, but its secrets, into a zip: docs/export.md says what is in it."""
    from botyard.accounts.services import customer_of_bot  # noqa: PLC0415
    from botyard.bots.registry import row_of  # noqa: PLC0415

    attached()
    number = row_of(bot)
    check_target(to, replace=replace)
    lines = _write(customer_of_bot(number) or 0, number, to)
    show_one({"bot": number, "file": str(to), "bytes": to.stat().st_size, **lines}, as_json=as_json)


def check_target(to: Path, *, replace: bool) -> None:
    """Go on only if the file can be written.

    Raises:
        InputError: it is there already, or its folder is not.
    """
    from botyard.errors import InputError  # noqa: PLC0415

    if to.exists() and not replace:
        raise InputError("--to", f"names {to}, which is there already.", "Choose another name, or say --replace.")
    if not to.absolute().parent.is_dir():
        raise InputError("--to", f"names a file in {to.absolute().parent}, which is no folder.", "Make it before.")


def _write(customer_id: int, bot_id: int, to: Path) -> dict[str, int]:
    """It is there when it is whole, and readable for its owner only."""
    from botyard.exporting.archive import write_archive  # noqa: PLC0415

    handle, name = tempfile.mkstemp(prefix=f".{to.name}.", dir=to.absolute().parent)
    unfinished = Path(name)
    try:
        with os.fdopen(handle, "wb") as target, progress_bar("exporting") as advance:
            lines = write_archive(customer_id, bot_id, target, advance)
            target.flush()
            os.fsync(target.fileno())
        unfinished.replace(to)
    finally:
        unfinished.unlink(missing_ok=True)
    return lines


@contextmanager
def progress_bar(what: str) -> "Iterator[Callable[[int, int | None], None]]":
    """A bar on standard error that is told how much is done, and of how much; nothing in a pipe."""
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import Progress  # noqa: PLC0415

    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
