"""``botyard send`` and ``botyard messages``: saying something through a bot, and what was said."""

import mimetypes
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from botyard.commands.output import TROUBLE, AsJson, BotName, attached, say, show, show_one
from botyard.commands.user import owner_of

if TYPE_CHECKING:
    from botyard.messages.sending import Sent
    from botyard.messages.wanted import Attachment
    from botyard.settings import Settings

Chat = Annotated[str, typer.Argument(help="Telegram's number of the chat, or the @name of a channel.")]

_UNSENT: Final = ("dead", "uncertain", "expired", "dropped", "cancelled")
_LOOK_SECONDS: Final = 0.1


def send(
    bot: BotName,
    chat: Chat,
    text: Annotated[str, typer.Argument(help="What to say; the caption, if there is a photo.")] = "",
    *,
    photo: Annotated[
        str | None, typer.Option(help="A file of this machine, an https address, or Telegram's id of a photo.")
    ] = None,
    html: Annotated[bool, typer.Option("--html", help="The text is marked up as HTML.")] = False,
    lane: Annotated[
        Literal["reply", "scheduled", "bulk"], typer.Option(help="What goes before it, and what behind it.")
    ] = "scheduled",
    wait: Annotated[float, typer.Option(min=0, help="Wait so many seconds for its end.")] = 10.0,
    as_json: AsJson = False,
) -> None:
    """Send a message through a bot, and say what became of it; exit code 1 if it was not sent."""
    from botyard.accounts.access import tenant_session  # noqa: PLC0415
    from botyard.messages.sending import put  # noqa: PLC0415
    from botyard.messages.waking import wake  # noqa: PLC0415
    from botyard.messages.wanted import Wanted, call_of  # noqa: PLC0415

    settings = attached()
    customer, number = owner_of(bot)
    attachment = None if photo is None else _photo(settings, photo)
    call = call_of(Wanted(chat, text, attachment, "HTML" if html else None, lane=lane))
    with tenant_session(customer) as session:
        row = put(session, number, call)
    wake(settings, number)
    ended = _ended(settings, customer, number, row, wait)
    show_one(asdict(ended), as_json=as_json)
    if ended.state in _UNSENT:
        raise typer.Exit(TROUBLE)


def messages(
    bot: BotName,
    chat: Chat,
    *,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show what was said in a chat of a bot, the latest first, and what waits to be sent there."""
    from botyard.accounts.access import tenant_session  # noqa: PLC0415
    from botyard.messages.history import NEWEST, history  # noqa: PLC0415

    attached()
    customer, number = owner_of(bot)
    with tenant_session(customer) as session:
        said, _ = history(session, number, chat, (NEWEST, NEWEST), limit)
    rows = [
        {
            "at": one.at, "direction": one.direction, "message": one.message_id, "send": one.send_id,
            "state": one.state, "reason": one.reason, "text": one.text,
        }
        for one in said
    ]  # fmt: skip
    show(rows, as_json=as_json, nothing="Nothing was said there.")


def _photo(settings: "Settings", place: str) -> "Attachment":
    from botyard.media.store import store_of  # noqa: PLC0415
    from botyard.messages.uploads import Upload  # noqa: PLC0415
    from botyard.messages.wanted import Attachment  # noqa: PLC0415

    path = Path(place)
    if not path.is_file():
        return Attachment("photo", place)
    with path.open("rb") as content:
        kept = store_of(settings).put(content)
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return Attachment("photo", Upload(kept.name, kept.size, path.name, kind))


def _ended(settings: "Settings", customer: int, bot_id: int, row: int, wait: float) -> "Sent":
    """How far it is when it has come to its end, or the time is over."""
    import time  # noqa: PLC0415

    from botyard.accounts.access import tenant_session  # noqa: PLC0415
    from botyard.messages.sending import show as shown  # noqa: PLC0415
    from botyard.messages.waking import closed  # noqa: PLC0415

    until = time.monotonic() + wait
    while True:
        with tenant_session(customer) as session:
            found = shown(session, bot_id, row, closed(settings, bot_id))
        if found is None:
            say("botyard: its bot was removed meanwhile.")
            raise typer.Exit(TROUBLE)
        if found.resolved_at is not None or time.monotonic() >= until:
            return found
        time.sleep(_LOOK_SECONDS)
