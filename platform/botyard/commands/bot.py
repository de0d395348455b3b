"""``botyard bot``: adding, looking at, changing and removing bots."""

import asyncio
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from botyard.commands.output import AsJson, BotName, Yes, attached, confirm, show, show_findings, show_one

if TYPE_CHECKING:
    from botyard.bots.removal import Removed
    from botyard.bots.services import AddedBot

app = typer.Typer(help="Bots.", no_args_is_help=True)


@app.command(name="list")
def list_bots(*, as_json: AsJson = False) -> None:
    """List the bots, and how many updates wait for each."""
    from botyard.bots.overview import summaries  # noqa: PLC0415

    rows = [asdict(summary) for summary in summaries(attached())]
    show(rows, as_json=as_json, nothing="There is no bot yet. Add one with `botyard bot add`.")


@app.command(name="show")
def show_bot(bot: BotName, *, as_json: AsJson = False) -> None:
    """Show everything that is known of a bot, but its secrets."""
    from botyard.bots.overview import details  # noqa: PLC0415
    from botyard.telemetry.redaction import redact  # noqa: PLC0415

    row = asdict(details(bot, attached()))
    show_one(row | {"api_url": redact(row["api_url"])}, as_json=as_json)


@app.command()
def why(bot: BotName, *, as_json: AsJson = False) -> None:
    """Say why a bot is silent: each thing that its answers depend on, and how to mend it. Exit code 1 with trouble."""
    from botyard.checks.silence import why_silent  # noqa: PLC0415

    show_findings(why_silent(bot, attached()), as_json=as_json)


@app.command()
def pause(bot: BotName, *, as_json: AsJson = False) -> None:
    """Let a bot's updates wait; nothing of them is lost."""
    from botyard.bots.overview import set_status  # noqa: PLC0415

    show([asdict(set_status(bot, "paused", attached()))], as_json=as_json)


@app.command()
def resume(bot: BotName, *, as_json: AsJson = False) -> None:
    """Let a paused bot go on where it stopped."""
    from botyard.bots.overview import set_status  # noqa: PLC0415

    show([asdict(set_status(bot, "active", attached()))], as_json=as_json)


@app.command()
def add(
    *,
    kind: Annotated[
        str | None, typer.Option(help="An installed kind, or package.module:function; a new bot is a demo bot.")
    ] = None,
    queue: Annotated[
        Literal["updates", "slow"] | None, typer.Option(help="updates for quick bots, slow (a new bot's) for others.")
    ] = None,
) -> None:
    """Add a bot, or connect a known one again; its token is asked for, so that it stands in no history of a shell."""
    from botyard.bots.services import NewBot, add_bot  # noqa: PLC0415
    from botyard.telegram.request import AiohttpRequest  # noqa: PLC0415

    settings = attached()
    address = settings.webhook_address
    token = sys.stdin.readline().strip() if not sys.stdin.isatty() else typer.prompt("Token", hide_input=True)

    async def connect() -> "AddedBot":
        request = AiohttpRequest(settings.api_timeout_seconds)
        try:
            new = NewBot(token, kind, settings.api_url, queue, address, settings.take_over)
            return await add_bot(new, request, settings)
        finally:
            await request.close()

    added = asyncio.run(connect())
    how = "webhook" if address else "long polling"
    print(f"@{added.username} is connected by {how}, as bot {added.id}.")  # noqa: T201


@app.command(name="set")
def set_bot(
    bot: BotName,
    *,
    answer_callbacks: Annotated[
        bool | None,
        typer.Option("--answer-callbacks/--leave-callbacks", help="Answer presses that its handlers leave unanswered."),
    ] = None,
    repeat_uncertain: Annotated[
        bool | None,
        typer.Option("--repeat-uncertain/--leave-uncertain", help="Make a send of unknown outcome again."),
    ] = None,
    sends: Annotated[
        Literal["outbox", "direct"] | None,
        typer.Option(help="direct: handlers wait for the answer to each send; outbox: sends go after the commit."),
    ] = None,
    retry: Annotated[
        bool | None, typer.Option("--retry/--no-retry", help="Try an update again when its handlers raise.")
    ] = None,
    forget_after: Annotated[
        int | None,
        typer.Option(min=0, help="Seconds after which unchanged memory of chats and people is forgotten; 0: never."),
    ] = None,
    queue: Annotated[
        Literal["updates", "slow", "auto"] | None, typer.Option(help="Its pool; auto: where its pace puts it.")
    ] = None,
    share: Annotated[
        int | None, typer.Option(min=0, max=1000, help="Slices of it under way at once; 0: the setting SHARE.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Choose how a bot is served; without options, show what is chosen."""
    from botyard.bots.preferences import Preferences, prefer  # noqa: PLC0415

    wanted = Preferences(answer_callbacks, repeat_uncertain, sends, retry, forget_after, queue, share)
    show_one(prefer(bot, wanted, attached()), as_json=as_json)


@app.command()
def remove(bot: BotName, *, yes: Yes = False, as_json: AsJson = False) -> None:
    """Remove a bot with its history, memory and waiting updates; at Telegram only our webhook is taken away."""
    from botyard.bots.overview import details  # noqa: PLC0415
    from botyard.bots.removal import remove_bot  # noqa: PLC0415
    from botyard.telegram.request import AiohttpRequest  # noqa: PLC0415

    settings = attached()
    known = details(bot, settings)
    confirm(
        f"Remove @{known.username} (bot {known.id}) with everything kept of it, "
        f"{known.waiting} waiting updates and {known.unsent} unsent messages among it? This cannot be undone.",
        yes=yes,
    )

    async def work() -> "Removed":
        request = AiohttpRequest(settings.api_timeout_seconds)
        try:
            return await remove_bot(str(known.id), request, settings)
        finally:
            await request.close()

    removed = asyncio.run(work())
    row = {"id": removed.id, "username": removed.username, "webhook": removed.webhook, **removed.rows}
    show_one(row, as_json=as_json)
