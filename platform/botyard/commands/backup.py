"""``botyard backup``: backups that are restored and compared before they count."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from botyard.commands.output import TROUBLE, AsJson, Yes, attached, confirm, say, show, show_one

if TYPE_CHECKING:
    from db.models import Backup

Number = Annotated[int, typer.Argument(metavar="BACKUP", help="Its number.")]

app = typer.Typer(help="Backups: made each night, and proven by restoring them.", no_args_is_help=True)


@app.command()
def now(*, as_json: AsJson = False) -> None:
    """Make a backup and prove it; exit code 1 if there is none, or it is not proven."""
    from botyard.backups import nightly  # noqa: PLC0415
    from botyard.mailbox.server import redis_of  # noqa: PLC0415

    settings = attached()
    with redis_of(settings) as redis:
        row = nightly.carry_out(settings, redis, nightly.begin())
    show_one(_line(row), as_json=as_json)
    if row.reason:
        raise typer.Exit(TROUBLE)


@app.command(name="list")
def list_backups(*, as_json: AsJson = False) -> None:
    """List backups, the latest first."""
    from botyard.backups.nightly import backups  # noqa: PLC0415

    attached()
    show([_line(row) for row in backups()], as_json=as_json, nothing="There is no backup.")


@app.command()
def verify(number: Number, *, as_json: AsJson = False) -> None:
    """Prove a backup anew: restore it into a database of its own, and compare all tables."""
    from botyard.backups.nightly import prove  # noqa: PLC0415

    show_one(_line(prove(attached(), number)), as_json=as_json)


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="The file of a backup; one from a bucket with --identity.")],
    *,
    to: Annotated[str, typer.Option(metavar="URL", help="The database, as its owner: postgresql://…; it is named.")],
    identity: Annotated[
        Path | None, typer.Option(help="The file with the private key of age, for one that is encrypted.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Drop what is in that database first.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Restore a backup into a database and compare it; all bots in it wait until `botyard backup agree`."""
    import tempfile  # noqa: PLC0415

    from botyard.backups.bucket import opened  # noqa: PLC0415
    from botyard.backups.restoring import restore as restored  # noqa: PLC0415

    settings = attached()
    if replace:
        confirm("Drop everything in that database?", yes=yes)
    with tempfile.TemporaryDirectory() as folder:
        if identity is not None:
            opened(file, identity, Path(folder) / "opened")
            file = Path(folder) / "opened"
        found = restored(settings, file, to, replace=replace)
    _tell_everybody()
    told = {
        "made_at": found.manifest.made_at, "tables": len(found.manifest.tables),
        "rows": sum(int(rows) for rows, _ in found.manifest.tables.values()), "waiting_updates": found.manifest.waiting,
        "bots_on_hold": found.held, "sends_on_hold": found.sends,
    }  # fmt: skip
    show_one(told, as_json=as_json)
    say("Every bot in it is switched off. `botyard backup agree --sends send|drop` lets them go on.")


@app.command()
def agree(
    *,
    sends: Annotated[
        Literal["send", "drop"],
        typer.Option(help="What was not sent when the backup was made, and may have been since: send or drop it."),
    ],
    as_json: AsJson = False,
) -> None:
    """Let all bots go on that wait since a restore."""
    from botyard.backups.restoring import agree as agreed  # noqa: PLC0415
    from botyard.mailbox.server import redis_of  # noqa: PLC0415

    settings = attached()
    with redis_of(settings) as redis:
        bots, dropped, updates = agreed(settings, redis, sends)
    _tell_everybody()
    show_one({"bots": bots, "dropped_sends": dropped, "updates_put_back": updates}, as_json=as_json)


def _tell_everybody() -> None:
    """Whoever runs on that database, and remembers what it was before, reads it anew."""
    from botyard.sync import get_sync  # noqa: PLC0415

    get_sync().publish("resync", {})


def _line(row: "Backup") -> dict[str, Any]:
    return {
        "backup": row.id, "night": None if row.night is None else row.night.isoformat(), "state": row.state,
        "of": row.snapshot_at, "verified": row.verified_at, "size": row.size, "file": row.file,
        "bucket": row.stored_as, "reason": row.reason,
    }  # fmt: skip
