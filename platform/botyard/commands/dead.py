"""``botyard dead``: updates and sends that were given up."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from botyard.commands.output import (
    TROUBLE,
    WRONG_USE,
    AsJson,
    Yes,
    attached,
    complete_bot,
    confirm,
    console,
    say,
    show,
    show_json,
    show_one,
)

if TYPE_CHECKING:
    from botyard.bots.dead_letters import Letter, Outcome
    from botyard.settings import Settings

Numbers = Annotated[list[int] | None, typer.Argument(metavar="[NUMBER]...", help="Numbers of letters.")]
OfBot = Annotated[str | None, typer.Option("--bot", help="Of this bot only.", autocompletion=complete_bot)]
What = Annotated[Literal["update", "send"] | None, typer.Option(help="Updates only, or sends only.")]
Reason = Annotated[str | None, typer.Option(help="Those whose reason or cause contains this.")]
Every = Annotated[bool, typer.Option("--all", help="All of them, or all to which --bot, --what and --reason apply.")]

_STAY: "Final[dict[Outcome, str]]" = {
    "full": "the mailboxes of their bot are full. Do it again later.",
    "gone": "their bot was removed. `botyard dead discard` throws them away.",
    "missing": "somebody has thrown them away meanwhile.",
}

app = typer.Typer(help="Updates and sends that were given up: dead letters.", no_args_is_help=True)


@app.command(name="list")
def list_letters(
    *, bot: OfBot = None, what: What = None, reason: Reason = None,
    each: Annotated[bool, typer.Option("--each", help="A line for each letter, not for each cause.")] = False,
    replayed: Annotated[bool, typer.Option("--replayed", help="Those that were replayed already, too.")] = False,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """List what was given up, counted by bot and cause."""
    from botyard.bots.dead_letters import Selection, groups, letters  # noqa: PLC0415

    attached()
    chosen = Selection((), bot, what, reason, replayed)
    rows = [asdict(one) for one in (letters(chosen) if each else groups(chosen))]
    show(rows, as_json=as_json, nothing="Nothing was given up.")


@app.command(name="show")
def show_letter(number: Annotated[int, typer.Argument(help="Its number.")], *, as_json: AsJson = False) -> None:
    """Show one letter: what it was, why it was given up, and the traceback."""
    from botyard.bots.dead_letters import letter  # noqa: PLC0415

    attached()
    found = letter(number)
    if as_json:
        show_json(asdict(found))
    else:
        _show_words(found)


def _show_words(found: "Letter") -> None:
    import orjson  # noqa: PLC0415

    row = asdict(found)
    detail, request = row.pop("detail"), row.pop("request")
    show_one(row, as_json=False)
    out = console()
    for title, body in (
        ("traceback or answer", detail),
        (found.what, orjson.dumps(request, option=orjson.OPT_INDENT_2).decode()),
    ):
        out.print(f"\n{title}", style="bold")
        out.print(body, markup=False, soft_wrap=True)


@app.command()
def replay(
    numbers: Numbers = None, *, bot: OfBot = None, what: What = None, reason: Reason = None, every: Every = False,
    pace: Annotated[float, typer.Option(min=0.01, max=1000, help="Letters a second.")] = 5.0,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Try letters again: an update behind what waits in its chat, a send behind what waits in its lane."""
    settings = attached()
    ids = _chosen(numbers, bot, what, reason, every=every)
    outcomes: Counter[Outcome] = Counter()
    try:
        _replay(ids, 1 / pace, settings, outcomes)
    finally:
        # Also when a server went away in the middle: what was done is done.
        counted = {"chosen": len(ids), "replayed": outcomes["replayed"], "already": outcomes["already"]}
        show([counted], as_json=as_json)
    for outcome, words in _STAY.items():
        if outcomes[outcome]:
            say(f"botyard: {outcomes[outcome]} were not replayed: {words}")
    if any(outcomes[outcome] for outcome in _STAY):
        raise typer.Exit(TROUBLE)


def _replay(ids: "Sequence[int]", pause: float, settings: "Settings", outcomes: "Counter[Outcome]") -> None:
    """Each letter in its turn; the outcomes are counted as they come."""
    import time  # noqa: PLC0415

    from redis import Redis  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import track  # noqa: PLC0415

    from botyard.bots.dead_letters import Replayer  # noqa: PLC0415
    from botyard.mailbox.keeping import Keeper  # noqa: PLC0415
    from botyard.mailbox.protocol import times_of  # noqa: PLC0415
    from botyard.mailbox.tickets import CeleryTickets, celery_producer  # noqa: PLC0415

    err = Console(stderr=True)
    with Redis.from_url(settings.require("redis_url"), socket_timeout=5) as redis:
        replayer = Replayer(Keeper(redis, times_of(settings)), CeleryTickets(celery_producer()))
        for place, number in enumerate(track(ids, "replaying", console=err, disable=not err.is_terminal)):
            if place:
                time.sleep(pause)
            outcomes[replayer.replay(number)] += 1


@app.command()
def discard(
    numbers: Numbers = None, *, bot: OfBot = None, what: What = None, reason: Reason = None, every: Every = False,
    yes: Yes = False, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Throw letters away for good."""
    from botyard.bots import dead_letters  # noqa: PLC0415

    attached()
    ids = _chosen(numbers, bot, what, reason, every=every)
    if ids:
        confirm(f"Throw {len(ids)} dead letters away? This cannot be undone.", yes=yes)
    show([{"discarded": dead_letters.discard(ids)}], as_json=as_json)


def _chosen(
    numbers: list[int] | None, bot: str | None, what: 'Literal["update", "send"] | None', reason: str | None,
    *, every: bool,
) -> list[int]:  # fmt: skip
    """The letters that are meant; ends the command if that is not clear, or there are none."""
    from botyard.bots.dead_letters import Selection, letter_ids  # noqa: PLC0415

    if bool(numbers) == every:
        say("botyard: name letters by their numbers, or choose with --all and perhaps --bot, --what and --reason.")
        raise typer.Exit(WRONG_USE)
    # Letters that are named may have been replayed already: that is answered, and not an error.
    ids = letter_ids(Selection(tuple(numbers or ()), bot, what, reason, replayed=bool(numbers)))
    if not ids:
        say("There is no such dead letter.")
    return ids
