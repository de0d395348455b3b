"""``botyard import``: what a bot knew before it came here."""

from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from botyard.commands.output import TROUBLE, AsJson, attached, complete_bot, console, say, show, show_json

if TYPE_CHECKING:
    from botyard.bots.registry import ServedBot
    from botyard.importing.items import Source
    from botyard.importing.report import Report

_OUTCOMES: Final = ("new", "changed", "same", "kept")
_SAYS: Final = {
    "kept": "is here already, differs, and stays (--overwrite replaces it)", "skipped": "left out", "notes": "note",
}  # fmt: skip


WhatToImport = Annotated[
    str,
    typer.Argument(
        help="A file of PicklePersistence, JSON, JSON lines, CSV, a zip of these or an export of Botyard; or the "
        "address of the Redis in which aiogram kept its states, as redis://host:6379/0."
    ),
]
IntoBot = Annotated[
    str | None, typer.Option("--bot", help="Into which bot; the only one, if not said.", autocompletion=complete_bot)
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="What is here already and differs is replaced.")]
Form = Annotated[
    Literal["pickle", "records"] | None, typer.Option(help="How to read the file, if that is not told rightly.")
]
Columns = Annotated[
    list[str] | None,
    typer.Option("--map", help="COLUMN=FIELD of a CSV, as Phone=attributes.phone; COLUMN= leaves it out."),
]
Modules = Annotated[
    list[str] | None,
    typer.Option("--module", help="OLD=NEW name of a module whose objects were pickled, as __main__=mybot."),
]
OfUsers = Annotated[list[str] | None, typer.Option(help="Name of a conversation that has per_chat=False.")]
KeyPrefix = Annotated[str, typer.Option(help="prefix of aiogram's DefaultKeyBuilder.")]
KeySeparator = Annotated[str, typer.Option(help="separator of aiogram's DefaultKeyBuilder.")]
WithBotId = Annotated[bool, typer.Option("--with-bot-id", help="As aiogram's DefaultKeyBuilder.")]
WithConnection = Annotated[bool, typer.Option("--with-business-connection-id", help="As aiogram's DefaultKeyBuilder.")]
WithDestiny = Annotated[bool, typer.Option("--with-destiny", help="As aiogram's DefaultKeyBuilder.")]


def import_bot(
    source: WhatToImport, *, bot: IntoBot = None, dry_run: DryRun = False, overwrite: Overwrite = False,
    form: Form = None, columns: Columns = None, modules: Modules = None, of_users: OfUsers = None,
    key_prefix: KeyPrefix = "fsm", key_separator: KeySeparator = ":", with_bot_id: WithBotId = False,
    with_business_connection_id: WithConnection = False, with_destiny: WithDestiny = False, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Bring along what a bot knew elsewhere: its people, and what it remembers of them. Twice does no harm."""
    from botyard.importing.aiogram import KeyBuilder  # noqa: PLC0415
    from botyard.importing.report import Report  # noqa: PLC0415
    from botyard.importing.sources import Given, open_source  # noqa: PLC0415
    from botyard.importing.writing import Target  # noqa: PLC0415

    attached()
    builder = KeyBuilder(key_prefix, key_separator, with_bot_id, with_business_connection_id, with_destiny)
    given = Given(
        source, form, _pairs("--module", modules), _pairs("--map", columns), frozenset(of_users or ()), builder
    )
    into = _bot(bot)
    target = Target(into.id, into.customer_id, dry_run, overwrite)
    report = Report()
    with ExitStack() as stack:
        opened = open_source(given, into.telegram_id, report, stack)
        _run(opened, target, report)
    _show(report, into.username, dry=dry_run, as_json=as_json)


def _run(source: "Source", target: Any, report: "Report") -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import Progress  # noqa: PLC0415

    from botyard.importing.importer import run_import  # noqa: PLC0415

    err = Console(stderr=True)
    with Progress(console=err, disable=not err.is_terminal, transient=True) as progress:
        task = progress.add_task("looking" if target.dry else "importing", total=None)

        def after_batch(handed: int) -> None:
            share = source.share()
            progress.update(task, completed=share or 0, total=None if share is None else 1, description=f"{handed:,}")

        try:
            run_import(source, target, report, after_batch)
        except KeyboardInterrupt:
            say("Interrupted. Do it again: what is here already stays as it is.")
            raise typer.Exit(TROUBLE) from None


def _bot(name: str | None) -> "ServedBot":
    from botyard.bots.naming import bot_names  # noqa: PLC0415
    from botyard.bots.registry import find, row_of  # noqa: PLC0415
    from botyard.errors import InputError  # noqa: PLC0415

    names = [name] if name is not None else bot_names()
    if len(names) != 1:
        problem = f"is not said, and there are {len(names)}." if names else "there is none yet."
        raise InputError("bot", problem, "Say --bot @its_name." if names else "`botyard bot add` adds one.")
    found = find(row_of(names[0]))
    if found is None:
        raise InputError("bot", "is not here any more.", "See `botyard bot list`.")
    return found


def _pairs(option: str, given: list[str] | None) -> dict[str, str]:
    from botyard.errors import InputError  # noqa: PLC0415

    found = {}
    for one in given or ():
        name, equals, value = one.rpartition("=")
        if not equals or not name:
            raise InputError(option, f"{one!r} has no `=`.", "Write it as NAME=VALUE.")
        found[name.strip()] = value.strip()
    return found


def _show(report: "Report", username: str, *, dry: bool, as_json: bool) -> None:
    if as_json:
        show_json({"bot": username, "dry_run": dry, **report.as_json()})
        return
    rows = [
        {"what": what, **{outcome: counts.get(outcome, 0) for outcome in _OUTCOMES}}
        for what, counts in report.counts.items()
    ]
    show(rows, as_json=False, nothing="There was nothing to import.")
    out = console()
    for name, says in _SAYS.items():
        for what, said in getattr(report, name).items():
            samples = ", ".join(said.samples) + (", …" if said.count > len(said.samples) else "")
            out.print(f"{says}, {said.count} times: {what}", style="yellow", markup=False)
            out.print(f"    {samples}", markup=False)
    if dry:
        say(f"Nothing was changed: without --dry-run it is imported into @{username}.")
