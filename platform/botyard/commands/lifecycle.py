"""``botyard bot off``, ``maintain``, ``restart`` and ``sync``, and ``botyard audit``."""

import asyncio
import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import typer

from botyard.commands.output import AsJson, BotName, Reason, attached, complete_bot, say, show, show_json, show_one

app = typer.Typer()


@app.command()
def off(bot: BotName, *, reason: Reason = None, as_json: AsJson = False) -> None:
    """Switch a bot off: our webhook is taken away, nothing is fetched or sent; Telegram keeps its updates for a day."""
    from botyard.bots.overview import set_status  # noqa: PLC0415

    settings = attached()
    summary = set_status(bot, "inactive", settings, reason)
    connect_again(summary.id)
    show([asdict(summary)], as_json=as_json)


@app.command()
def maintain(bot: BotName, *, reason: Reason = None, as_json: AsJson = False) -> None:
    """Let a bot say that it is being worked on, once in a chat and hour; what people write meanwhile is dropped."""
    from botyard.bots.overview import set_status  # noqa: PLC0415

    show([asdict(set_status(bot, "maintenance", attached(), reason))], as_json=as_json)


@app.command()
def restart(bot: BotName, *, as_json: AsJson = False) -> None:
    """Let every process build a bot anew, as after a change of what its code reads when it is built."""
    from botyard.bots.registry import row_of  # noqa: PLC0415
    from botyard.bots.statuses import restart as restart_bot  # noqa: PLC0415

    attached()
    number = row_of(bot)
    restart_bot(number)
    show_one({"id": number, "restarted": True}, as_json=as_json)


@app.command()
def days(
    bot: BotName,
    *,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many days, the latest.")] = 14,
    as_json: AsJson = False,
) -> None:
    """Show what a bot did, day by day (UTC): updates, sends, and what was given up."""
    from botyard.bots.activity import days_of  # noqa: PLC0415
    from botyard.bots.registry import row_of  # noqa: PLC0415

    attached()
    rows = [asdict(day) for day in days_of(row_of(bot), limit)]
    show(rows, as_json=as_json, nothing="It has done nothing yet.")


@app.command()
def sync(*, as_json: AsJson = False) -> None:
    """Compare what all processes were told of bots with the database now, as is done every five minutes."""
    from botyard.mailbox.server import redis_of  # noqa: PLC0415
    from botyard.manager import BotManager  # noqa: PLC0415
    from botyard.sync import get_sync  # noqa: PLC0415

    with redis_of(attached()) as redis:
        found = BotManager(get_sync(), redis).sync_with_database()
    show_one(asdict(found), as_json=as_json)


def audit(
    bot: Annotated[str | None, typer.Option(help="Of this bot only.", autocompletion=complete_bot)] = None,
    *,
    customer: Annotated[str | None, typer.Option(help="Of this customer only.")] = None,
    actor: Annotated[str | None, typer.Option(help="By them, as person:4, cli:anna or botyard.")] = None,
    entity: Annotated[str | None, typer.Option(help="Of this row, as bots:12, or of a whole table: bots.")] = None,
    action: Annotated[
        Literal["created", "updated", "deleted"] | None, typer.Option(help="Only what was done so.")
    ] = None,
    since: Annotated[datetime | None, typer.Option(help="Not before then (UTC), as 2026-11-22T10:00:00.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many entries, the latest.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show who changed what, from what to what, the latest last; secrets stand there as ***."""
    from botyard.accounts.auditing import EntriesWanted, entries  # noqa: PLC0415
    from botyard.accounts.services import customer_number  # noqa: PLC0415
    from botyard.bots.registry import row_of  # noqa: PLC0415

    attached()
    owner = None if customer is None else customer_number(customer)
    began = None if since is None else since.replace(tzinfo=UTC)
    wanted = EntriesWanted(owner, None if bot is None else row_of(bot), actor, entity, action, began)
    found = [asdict(entry) for entry in reversed(entries(wanted, limit))]
    if as_json:
        show_json(found)
    elif found:
        show([_line(entry) for entry in found], as_json=False)
    else:
        say("Nothing was changed yet.")


def connect_again(bot_id: int) -> None:
    """Set or take away a bot's webhook, as its status asks for, and say how that went."""
    from botyard.bots.connection.connecting import connect_bot  # noqa: PLC0415
    from botyard.errors import BotyardError  # noqa: PLC0415
    from botyard.settings import get_settings  # noqa: PLC0415
    from botyard.telegram.request import AiohttpRequest  # noqa: PLC0415

    settings = get_settings()

    async def work() -> None:
        request = AiohttpRequest(settings.api_timeout_seconds)
        try:
            await connect_bot(bot_id, request, settings)
        finally:
            await request.close()

    try:
        asyncio.run(work())
    except BotyardError as error:
        # Its status is changed all the same, and the next health check tries this again.
        say(f"botyard: {error}")


def _line(entry: dict[str, Any]) -> dict[str, Any]:
    before, after = entry.pop("before") or {}, entry.pop("after") or {}
    if entry["action"] == "updated":
        changes = [f"{key}: {_short(before.get(key))} → {_short(after.get(key))}" for key in after]
        entry["what"] = "; ".join(changes)
    else:
        entry["what"] = str((after or before).get("name") or (after or before).get("username") or "")
    return {key: entry[key] for key in ("at", "actor", "action", "entity", "what")}


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "…"
