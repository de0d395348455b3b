"""``botyard lanes``: what waits, for what, and what Telegram closed."""

from dataclasses import asdict
from typing import Annotated

import typer

from botyard.commands.output import AsJson, attached, complete_bot, say, show, show_json


def lanes(
    name: Annotated[
        str | None, typer.Argument(metavar="[BOT]", help="One bot; else all.", autocompletion=complete_bot)
    ] = None,
    *, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Show what waits in each lane, for what, and which chats Telegram has closed until when."""
    from botyard.bots.lanes import lanes as find  # noqa: PLC0415

    found = find(attached(), name)
    if as_json:
        show_json(asdict(found))
        return
    rows = [
        {
            "bot": one.bot,
            "lane": one.lane,
            "waiting": one.waiting,
            "oldest": f"{one.oldest_seconds:.1f} s" if one.waiting else "",
            "waits for": _counted(one.causes),
            "last answer": one.error or "",
            "ended unsent": _counted(one.given_up),
        }
        for one in found.lanes
    ]
    show(rows, as_json=False, nothing="Nothing waits.")
    if found.closed:
        say("")
        closed = [
            {"bot": one.bot, "closed by Telegram": one.chat or "the whole bot", "opens": one.opens_at}
            for one in found.closed
        ]
        show(closed, as_json=False)


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{words}: {count}" for words, count in counts.items())
