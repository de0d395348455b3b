"""``botyard person``: what is known of one person, and forgetting it."""

import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from botyard.commands.export import check_target, progress_bar
from botyard.commands.output import TROUBLE, AsJson, Yes, attached, complete_bot, confirm, show_one

if TYPE_CHECKING:
    from db.models import Operation

app = typer.Typer(help="One person of a bot: what is known of them, and forgetting it.", no_args_is_help=True)

UserId = Annotated[int, typer.Argument(help="Telegram's number of the person.")]
OfBot = Annotated[str | None, typer.Option("--bot", help="Of this bot only.", autocompletion=complete_bot)]
OfCustomer = Annotated[str | None, typer.Option("--customer", help="Of every bot of this customer.")]
_LOOK_SECONDS: Final = 0.5


@app.command(name="export")
def export_person(
    user: UserId,
    *,
    to: Annotated[Path, typer.Option("--to", help="The file, JSON.")],
    bot: OfBot = None,
    customer: OfCustomer = None,
    replace: Annotated[bool, typer.Option("--replace", help="Write over a file that is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write what is known of a person into a file."""
    from botyard.errors import InputError  # noqa: PLC0415
    from botyard.exporting.person import bot_numbers, write_person  # noqa: PLC0415

    attached()
    customer_id, bot_id = _whose(bot, customer)
    check_target(to, replace=replace)
    handle, name = tempfile.mkstemp(prefix=f".{to.name}.", dir=to.absolute().parent)
    try:
        with os.fdopen(handle, "wb") as target:
            rows = write_person(customer_id, bot_numbers(customer_id) if bot_id is None else [bot_id], user, target)
        if not rows:
            raise InputError("user", f"{user} is not known here.", "Telegram's number of a person is meant.")
        Path(name).replace(to)
    finally:
        Path(name).unlink(missing_ok=True)
    show_one({"user": user, "file": str(to), "rows": rows}, as_json=as_json)


@app.command()
def erase(
    user: UserId, *, bot: OfBot = None, customer: OfCustomer = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it is done.")] = True,
    yes: Yes = False, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Forget a person: rows, memory, messages, and what waits of them. A worker does it; it cannot be taken back."""
    from botyard.erasure.wanting import erasing  # noqa: PLC0415
    from botyard.operations import begin  # noqa: PLC0415

    attached()
    customer_id, bot_id = _whose(bot, customer)
    wanted = erasing(customer_id, bot_id, user)
    confirm(f"Forget {user} {'for this bot' if bot else 'for every bot of this customer'}?", yes=yes)
    number = begin(wanted)
    found = _followed(number) if wait else None
    if found is None:
        show_one({"operation": number}, as_json=as_json)
        return
    show_one({"operation": number, "state": found.state, "error": found.error, **(found.result or {})}, as_json=as_json)
    if found.state != "done":
        raise typer.Exit(TROUBLE)


def _followed(number: int) -> "Operation | None":
    """An operation at its end; whoever interrupts the command stops waiting, and not the work."""
    from botyard.operations.reading import operation  # noqa: PLC0415

    with progress_bar("erasing") as advance:
        while True:
            found = operation(number)
            if found is None or found.finished_at is not None:
                return found
            advance(found.done, found.total)
            time.sleep(_LOOK_SECONDS)


def _whose(bot: str | None, customer: str | None) -> tuple[int, int | None]:
    from botyard.accounts.services import customer_number, customer_of_bot  # noqa: PLC0415
    from botyard.bots.registry import row_of  # noqa: PLC0415
    from botyard.errors import InputError  # noqa: PLC0415

    if bot is not None and customer is None:
        number = row_of(bot)
        return customer_of_bot(number) or 0, number
    if customer is not None and bot is None:
        return customer_number(customer), None
    raise InputError("--bot", "or --customer must be said, and not both.", "Say --bot @username, or --customer NAME.")
