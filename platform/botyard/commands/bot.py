"""``botyard bot``: adding, looking at, changing and removing bots."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

from botyard.commands.configuration import choose
from botyard.commands.lifecycle import connect_again
from botyard.commands.output import (
    AsJson,
    BotName,
    Reason,
    Yes,
    attached,
    confirm,
    say,
    show,
    show_findings,
    show_one,
)

if TYPE_CHECKING:
    from botyard.bots.connection.adding import Registered
    from botyard.bots.connection.steps import Step
    from botyard.telegram.request import AiohttpRequest

T = TypeVar("T")

app = typer.Typer(help="Bots.", no_args_is_help=True)


@app.command(name="list")
def list_bots(
    *,
    customer: Annotated[str | None, typer.Option(help="Of this customer only.")] = None,
    status: Annotated[
        Literal["active", "inactive", "error", "paused", "maintenance"] | None, typer.Option(help="With this status.")
    ] = None,
    kind: Annotated[str | None, typer.Option(help="Of this kind only.")] = None,
    begins: Annotated[str | None, typer.Option(help="Whose usernames begin so.")] = None,
    trouble: Annotated[bool, typer.Option("--trouble", help="Those with troubles first.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the bots, and how many updates wait for each."""
    from botyard.accounts.services import customer_number  # noqa: PLC0415
    from botyard.bots.overview import summaries  # noqa: PLC0415
    from botyard.bots.searching import BotsWanted  # noqa: PLC0415

    settings = attached()
    owner = None if customer is None else customer_number(customer)
    beginning = begins.removeprefix("@") if begins else None
    wanted = BotsWanted(owner, status, None, kind, beginning, trouble_first=trouble)
    rows = [asdict(summary) for summary in summaries(settings, wanted)]
    chosen = customer or status or kind or begins
    nothing = "There is none of these." if chosen else "There is no bot yet. Add one with `botyard bot add`."
    show(rows, as_json=as_json, nothing=nothing)


@app.command(name="show")
def show_bot(bot: BotName, *, as_json: AsJson = False) -> None:
    """Show everything that is known of a bot, but its secrets."""
    from botyard.bots.health.verdicts import health_of  # noqa: PLC0415
    from botyard.bots.overview import details  # noqa: PLC0415
    from botyard.telemetry.redaction import redact  # noqa: PLC0415

    row = asdict(details(bot, attached()))
    shown = row | {"api_url": redact(row["api_url"])} | asdict(health_of(row["id"]))
    show_one(shown, as_json=as_json)


@app.command()
def why(bot: BotName, *, as_json: AsJson = False) -> None:
    """Say why a bot is silent: each thing that its answers depend on, and how to mend it. Exit code 1 with trouble."""
    from botyard.checks.silence import why_silent  # noqa: PLC0415

    show_findings(why_silent(bot, attached()), as_json=as_json)


@app.command()
def pause(bot: BotName, *, reason: Reason = None, as_json: AsJson = False) -> None:
    """Let a bot's updates wait; nothing of them is lost."""
    from botyard.bots.overview import set_status  # noqa: PLC0415

    show([asdict(set_status(bot, "paused", attached(), reason))], as_json=as_json)


@app.command()
def resume(bot: BotName, *, as_json: AsJson = False) -> None:
    """Let a bot go on that is paused, switched off or in maintenance."""
    from botyard.bots.overview import details, set_status  # noqa: PLC0415

    settings = attached()
    was_off = details(bot, settings).status == "inactive"
    summary = set_status(bot, "active", settings)
    if was_off:
        connect_again(summary.id)
    show([asdict(summary)], as_json=as_json)


@app.command()
def add(
    *,
    kind: Annotated[
        str | None, typer.Option(help="An installed kind, or package.module:function; a new bot is a demo bot.")
    ] = None,
    queue: Annotated[
        Literal["updates", "slow"] | None, typer.Option(help="updates for quick bots, slow (a new bot's) for others.")
    ] = None,
    many: Annotated[
        Path | None, typer.Option("--from", help="Add the bots of this file, .csv or .jsonl, and skip those here.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add a bot, or connect a known one again; its token is asked for, so that it stands in no history of a shell."""
    if many is not None:
        from botyard.commands.bot_file import add_from  # noqa: PLC0415

        add_from(many, as_json=as_json)
        return
    from botyard.bots.connection.adding import NewBot  # noqa: PLC0415
    from botyard.bots.connection.connecting import add_bot  # noqa: PLC0415

    settings = attached()
    address = settings.webhook_address
    new = NewBot(_given_token(), kind, settings.api_url, queue, address, settings.take_over)
    added = _calling(lambda request: add_bot(new, request, settings, _say_step, proving=True))
    how = "webhook" if address else "long polling"
    if as_json:
        show_one({"id": added.id, "username": added.username, "intake": how}, as_json=True)
    else:
        print(f"@{added.username} is connected by {how}, as bot {added.id}.")  # noqa: T201


@app.command(name="replace-token")
def replace_bot_token(bot: BotName, *, as_json: AsJson = False) -> None:
    """Give a bot another token, which is asked for: a new one of its own, or that of another bot of BotFather's."""
    from botyard.bots.connection.adding import replace_token  # noqa: PLC0415
    from botyard.bots.connection.connecting import connect_bot  # noqa: PLC0415
    from botyard.bots.registry import row_of  # noqa: PLC0415

    settings = attached()
    number, token = row_of(bot), _given_token()

    async def replace(request: "AiohttpRequest") -> "Registered":
        registered = await replace_token(
            number, token, request, settings, take_over=settings.take_over, say=_say_step
        )  # fmt: skip
        # Whoever has its updates now was asked about before it was registered.
        await connect_bot(number, request, settings, _say_step, take_over=True)
        return registered

    replaced = _calling(replace)
    show_one({"id": replaced.id, "username": replaced.username}, as_json=as_json)


@app.command()
def check(bot: BotName, *, as_json: AsJson = False) -> None:
    """Ask Telegram about a bot now and repair its connection, as is done by itself. Exit code 1 with trouble."""
    from botyard.bots.health.checking import checker  # noqa: PLC0415
    from botyard.bots.health.verdicts import Verdict  # noqa: PLC0415
    from botyard.bots.registry import row_of  # noqa: PLC0415
    from botyard.checks.finding import Finding  # noqa: PLC0415

    settings = attached()
    number = row_of(bot)

    async def work() -> Verdict:
        async with checker(settings) as checks:
            return await checks.check(number)

    step = asyncio.run(work()).step
    show_findings([Finding(step.name, step.state, step.says, step.remedy)], as_json=as_json)


@app.command()
def reclaim(bot: BotName, *, as_json: AsJson = False) -> None:
    """Take a bot's webhook back from another system now, and forget how often that was needed."""
    from botyard.bots.connection.connecting import connect_bot  # noqa: PLC0415
    from botyard.bots.health.verdicts import health_of  # noqa: PLC0415
    from botyard.bots.registry import row_of  # noqa: PLC0415

    settings = attached()
    number = row_of(bot)
    _calling(lambda request: connect_bot(number, request, settings, _say_step, take_over=True))
    show_one({"id": number, **asdict(health_of(number))}, as_json=as_json)


@app.command(name="rotate-secret")
def rotate_bot_secret(bot: BotName, *, as_json: AsJson = False) -> None:
    """Give a bot's webhook another secret; the earlier one is taken for an hour more, so that no update is lost."""
    from botyard.bots.connection.connecting import rotate_secret  # noqa: PLC0415
    from botyard.bots.registry import row_of  # noqa: PLC0415

    settings = attached()
    number = row_of(bot)
    until = _calling(lambda request: rotate_secret(number, request, settings))
    show_one({"id": number, "earlier_secret_until": until}, as_json=as_json)


def _given_token() -> str:
    return sys.stdin.readline().strip() if not sys.stdin.isatty() else str(typer.prompt("Token", hide_input=True))


def _say_step(step: "Step") -> None:
    say(f"{step.state:8} {step.name:11} {step.says}" + (f"\n{'':21}→ {step.remedy}" if step.remedy else ""))


def _calling(work: "Callable[[AiohttpRequest], Awaitable[T]]") -> "T":
    """Do something that calls the Bot API."""
    from botyard.telegram.request import AiohttpRequest  # noqa: PLC0415

    settings = attached()

    async def called() -> "T":
        request = AiohttpRequest(settings.api_timeout_seconds)
        try:
            return await work(request)
        finally:
            await request.close()

    return asyncio.run(called())


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
    choose(
        bot, as_json=as_json, answer_callbacks=answer_callbacks, repeat_uncertain=repeat_uncertain, sends=sends,
        retry=retry, forget_after=forget_after, queue=queue, share=share,
    )  # fmt: skip


@app.command()
def remove(bot: BotName, *, yes: Yes = False, as_json: AsJson = False) -> None:
    """Remove a bot with its history, memory and waiting updates; at Telegram only our webhook is taken away."""
    from botyard.bots.overview import details  # noqa: PLC0415
    from botyard.bots.removal import remove_bot  # noqa: PLC0415

    settings = attached()
    known = details(bot, settings)
    confirm(
        f"Remove @{known.username} (bot {known.id}) with everything kept of it, "
        f"{known.waiting} waiting updates and {known.unsent} unsent messages among it? This cannot be undone.",
        yes=yes,
    )

    removed = _calling(lambda request: remove_bot(str(known.id), request, settings))
    row = {"id": removed.id, "username": removed.username, "webhook": removed.webhook, **removed.rows}
    show_one(row, as_json=as_json)
