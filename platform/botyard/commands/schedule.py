"""``botyard schedule``: messages that a bot sends by itself."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from botyard.commands.output import TROUBLE, WRONG_USE, AsJson, BotName, Yes, attached, confirm, say, show, show_one
from botyard.commands.user import owner_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from botyard.schedules.content import Content
    from botyard.schedules.plans import Plan
    from db.models import Bot, Schedule

Number = Annotated[int, typer.Argument(metavar="SCHEDULE", help="Its number.")]

app = typer.Typer(help="Messages that a bot sends by itself: when, to whom, what.", no_args_is_help=True)


@app.command()
def add(
    bot: BotName,
    name: Annotated[str, typer.Argument(help="What you call it.")],
    text: Annotated[
        list[str] | None, typer.Argument(metavar="[TEXT]...", help="What to say; of several languages each as ru=… .")
    ] = None,
    *,
    at: Annotated[str | None, typer.Option(help="Once, at 2026-12-31T09:00.")] = None,
    cron: Annotated[str | None, typer.Option(help="By a crontab line, as '0 9 * * mon-fri'.")] = None,
    every: Annotated[int | None, typer.Option(metavar="SECONDS", help="Every so many seconds.")] = None,
    silence: Annotated[int | None, typer.Option(metavar="HOURS", help="After so long a silence of a person.")] = None,
    zone: Annotated[str, typer.Option(help="A time zone; `bot`; `person`: of whoever reads.")] = "bot",
    to: Annotated[list[int] | None, typer.Option(metavar="USER", help="To this person; again for more.")] = None,
    tag: Annotated[str | None, typer.Option(help="To whom has this tag.")] = None,
    language: Annotated[str | None, typer.Option(help="To whom reads this language.")] = None,
    command: Annotated[str | None, typer.Option(help="Instead: act as if everybody had sent this, as /digest.")] = None,
    html: Annotated[bool, typer.Option("--html", help="The texts are marked up as HTML.")] = False,
    photo: Annotated[str | None, typer.Option(help="An https address, or Telegram's id of a photo.")] = None,
    quiet: Annotated[str | None, typer.Option(help="Nobody is written to between these, as 22:00-08:00.")] = None,
    cap: Annotated[int | None, typer.Option(help="So many messages of schedules may somebody get in a day.")] = None,
    ends: Annotated[datetime | None, typer.Option(help="No moment comes behind this, in UTC.")] = None,
    jitter: Annotated[int, typer.Option(metavar="SECONDS", help="Spread the messages of a moment over this.")] = 0,
    grace: Annotated[int, typer.Option(metavar="SECONDS", help="What comes to light later is missed.")] = 3600,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show when it would be sent.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Let a bot send something by itself; shows the next five moments, and at a terminal asks before it is kept.

    Without --to, --tag, --language it is to everyone.
    """
    from botyard.schedules.plans import Audience, Plan  # noqa: PLC0415

    when = _when(at=at, expression=cron, seconds=every, hours=silence)
    content, to_whom = _content(text, command, photo, html=html), Audience(tuple(to or ()), tag, language)
    plan = Plan(name, when, content, zone, to_whom, _quiet(quiet), cap, _utc(ends), jitter, grace)
    _keep(bot, plan, dry_run=dry_run, asks=not (yes or as_json), as_json=as_json)


@app.command(name="list")
def list_schedules(bot: BotName, *, as_json: AsJson = False) -> None:
    """List what a bot sends by itself."""
    from botyard.schedules.storing import next_runs, schedules  # noqa: PLC0415

    with _opened(bot) as (session, found):
        listed = schedules(session, found.id)
        moments = next_runs(session, [one.id for one in listed])
        lines = [_line(one) | {"next": moments.get(one.id)} for one in listed]
    show(lines, as_json=as_json, nothing="It sends nothing by itself.")


@app.command(name="show")
def show_schedule(bot: BotName, number: Number, *, as_json: AsJson = False) -> None:
    """Show one of them, with its next five moments."""
    from botyard.schedules.storing import moments_of  # noqa: PLC0415

    with _opened(bot) as (session, found):
        one = _schedule(session, found, number)
        more = {
            "to": one.audience, "texts": one.content.get("texts"), "command": one.content.get("command"),
            "quiet": one.quiet, "cap": one.cap,
            "ends_at": one.ends_at, "jitter": one.jitter, "grace": one.grace, "moments": moments_of(found, one),
        }  # fmt: skip
        show_one(_line(one) | more, as_json=as_json)


@app.command()
def history(
    bot: BotName,
    number: Number,
    *,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show what became of its moments, the latest first."""
    from botyard.schedules.storing import runs  # noqa: PLC0415

    with _opened(bot) as (session, found):
        _schedule(session, found, number)
        lines = [
            {
                "moment": ran.run.moment, "zone": ran.run.zone, "state": ran.run.state, "planned": ran.run.planned,
                "skipped": ran.run.skipped, "outcomes": ran.outcomes,
            }
            for ran in runs(session, number, None, limit)
        ]  # fmt: skip
    show(lines, as_json=as_json, nothing="None of its moments has come.")


@app.command()
def pause(bot: BotName, number: Number, *, as_json: AsJson = False) -> None:
    """Send nothing more of it, also of what waits to be sent already."""
    _switch(bot, number, enabled=False, as_json=as_json)


@app.command()
def resume(bot: BotName, number: Number, *, as_json: AsJson = False) -> None:
    """Let it go on from now: what fell between is not sent."""
    _switch(bot, number, enabled=True, as_json=as_json)


@app.command()
def run(bot: BotName, number: Number, *, as_json: AsJson = False) -> None:
    """Send it once, now, to all whom it is for; its own moments stay as they are."""
    from botyard.schedules.storing import run_now  # noqa: PLC0415

    with _opened(bot) as (session, found):
        asked = run_now(session, found, _schedule(session, found, number))
        show_one({"schedule": number, "run": asked.id, "moment": asked.moment}, as_json=as_json)


@app.command()
def remove(bot: BotName, number: Number, *, yes: Yes = False, as_json: AsJson = False) -> None:
    """Forget it and what became of it; what it has not sent yet is taken back."""
    from botyard.schedules import storing  # noqa: PLC0415

    confirm(f"Remove schedule {number}, and take back what it has not sent?", yes=yes)
    with _opened(bot) as (session, found):
        one = _schedule(session, found, number)
        line = _line(one)
        storing.remove(session, found, one)
    show_one(line | {"state": "removed"}, as_json=as_json)


def _keep(bot: str, plan: "Plan", *, dry_run: bool, asks: bool, as_json: bool) -> None:
    from botyard.schedules.storing import make, preview  # noqa: PLC0415

    with _opened(bot) as (_, found):
        shown = {"schedule": None, "name": plan.name, "moments": preview(found, plan)}
    asks = asks and not dry_run and sys.stdin.isatty()
    if asks or dry_run:
        show_one(shown, as_json=as_json)
    if asks:
        confirm("Keep it?", yes=False)
    if not dry_run:
        with _opened(bot) as (session, found):
            show_one(shown | {"schedule": make(session, found, plan).id}, as_json=as_json)


def _switch(bot: str, number: int, *, enabled: bool, as_json: bool) -> None:
    from botyard.schedules.storing import moments_of, switch  # noqa: PLC0415

    with _opened(bot) as (session, found):
        one = _schedule(session, found, number)
        withdrawn = switch(session, found, one, enabled=enabled)
        show_one(_line(one) | {"taken_back": withdrawn, "moments": moments_of(found, one)}, as_json=as_json)


@contextmanager
def _opened(bot: str) -> "Iterator[tuple[Session, Bot]]":
    """A transaction of the bot's customer."""
    from botyard.accounts.access import tenant_session  # noqa: PLC0415
    from db.models import Bot  # noqa: PLC0415

    attached()
    customer, number = owner_of(bot)
    with tenant_session(customer) as session:
        yield session, session.get_one(Bot, number)


def _schedule(session: "Session", bot: "Bot", number: int) -> "Schedule":
    from botyard.schedules.storing import schedule_of  # noqa: PLC0415

    found = schedule_of(session, bot.id, number, to_change=True)
    if found is None:
        say(f"botyard: this bot has no schedule {number}. See `botyard schedule list {bot.username}`.")
        raise typer.Exit(TROUBLE)
    return found


def _line(one: "Schedule") -> dict[str, Any]:
    state = "broken" if one.error else "on" if one.enabled else "paused"
    words = {name: value for name, value in one.recurrence.items() if name not in ("type", "start")}
    when = " ".join([one.recurrence.get("type", ""), *map(str, words.values())])
    return {"schedule": one.id, "name": one.name, "state": state, "when": when, "zone": one.zone, "error": one.error}


def _when(**given: Any) -> dict[str, Any]:
    kinds = {"at": "once", "expression": "cron", "seconds": "every", "hours": "silence"}
    named = {name: value for name, value in given.items() if value is not None}
    if len(named) != 1:
        say("botyard: say exactly one of --at, --cron, --every and --silence.")
        raise typer.Exit(WRONG_USE)
    (name,) = named
    return {"type": kinds[name], **named}


def _content(texts: list[str] | None, command: str | None, photo: str | None, *, html: bool) -> "Content":
    from botyard.messages.wanted import Attachment, Wanted  # noqa: PLC0415
    from botyard.schedules.content import Texts, command_of, content_of  # noqa: PLC0415

    if (command is None) == (not texts) or (command is not None and photo is not None):
        say("botyard: say either what is to be sent, or --command.")
        raise typer.Exit(WRONG_USE)
    if command is not None or not texts:
        return command_of(command or "")
    by_language: dict[str, str] = {}
    for text in texts:
        language, equals, said = text.partition("=")
        one_of_several = len(texts) > 1 and equals
        by_language[language if one_of_several else "en"] = said if one_of_several else text
    attachment = None if photo is None else Attachment("photo", photo)
    message = Wanted("1", attachment=attachment, parse_mode="HTML" if html else None)
    return content_of(Texts(by_language, next(iter(by_language))), message)


def _quiet(hours: str | None) -> tuple[str, str] | None:
    if hours is None:
        return None
    begin, _, end = hours.partition("-")
    return begin, end


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)
