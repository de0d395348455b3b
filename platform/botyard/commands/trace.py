"""``botyard trace``: one update's way."""

from dataclasses import asdict
from typing import Annotated

import typer

from botyard.commands.output import AsJson, attached, complete_bot, console, show, show_json


def trace(
    number: Annotated[int, typer.Argument(help="An update's id, or a message's.")],
    *,
    bot: Annotated[str | None, typer.Option("--bot", help="Of this bot only.", autocompletion=complete_bot)] = None,
    as_json: AsJson = False,
) -> None:
    """Show an update's way: taken in, waited, handled, sent, answered; with the time of each and what it waited for."""
    from botyard.bots import tracing  # noqa: PLC0415

    found = tracing.trace(attached(), number, bot)
    if as_json:
        show_json([asdict(one) for one in found])
        return
    for one in found:
        named = "sent by itself" if one.update_id is None else f"update {one.update_id}"
        console().print(f"@{one.bot}: {named} {one.kind} of chat {one.chat}", style="bold")
        show(tracing.shown(one), as_json=False)
