"""``botyard user``: the people of a bot."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from botyard.commands.output import TROUBLE, AsJson, BotName, attached, say, show, show_one

if TYPE_CHECKING:
    from botyard.users.reading import Known

Number = Annotated[int, typer.Argument(metavar="USER", help="Telegram's number of them.")]

app = typer.Typer(help="The people of a bot: who wrote to it, and what is noted of them.", no_args_is_help=True)


def owner_of(bot: str) -> tuple[int, int]:
    """The customer of a bot, and the bot's row, by any of its names.

    Raises:
        InputError: there is no such bot.
    """
    from botyard.accounts.services import customer_of_bot  # noqa: PLC0415
    from botyard.bots.registry import row_of  # noqa: PLC0415

    number = row_of(bot)
    return customer_of_bot(number) or 0, number


@app.command(name="list")
def list_users(
    bot: BotName,
    *,
    tag: Annotated[str | None, typer.Option(help="Who has this tag.")] = None,
    language: Annotated[str | None, typer.Option(help="Whose language is this one.")] = None,
    blocked: Annotated[
        bool | None, typer.Option("--blocked/--reachable", help="Who cannot, or can, be written to.")
    ] = None,
    begins: Annotated[str | None, typer.Option(help="Whose username or name begins so.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the people of a bot, those it heard of last first."""
    from botyard.accounts.access import tenant_session  # noqa: PLC0415
    from botyard.users.reading import Chosen, users  # noqa: PLC0415

    attached()
    customer, number = owner_of(bot)
    with tenant_session(customer) as session:
        found = users(session, number, Chosen(tag, language, blocked, None, begins), None, limit)
    show([_line(one) for one in found], as_json=as_json, nothing="Nobody is known.")


@app.command(name="show")
def show_user(bot: BotName, number: Number, *, as_json: AsJson = False) -> None:
    """Show one of them, with what is noted."""
    attached()
    customer, bot_id = owner_of(bot)
    known = _known(customer, bot_id, number)
    user = known.user
    more = {
        "attributes": user.attributes, "premium": user.is_premium, "first_seen": user.first_seen,
        "unreachable_since": known.unreachable_since,
    }  # fmt: skip
    show_one(_line(known) | more, as_json=as_json)


@app.command()
def tag(
    bot: BotName,
    number: Number,
    tags: Annotated[list[str] | None, typer.Argument(metavar="[TAG]...", help="Tags that they get.")] = None,
    *,
    remove: Annotated[list[str] | None, typer.Option("--remove", help="A tag that they lose; again for more.")] = None,
    as_json: AsJson = False,
) -> None:
    """Give somebody tags, or take some away; show those that they have then."""
    from botyard.accounts.access import tenant_session  # noqa: PLC0415
    from botyard.users.noting import Changes, note  # noqa: PLC0415

    attached()
    customer, bot_id = owner_of(bot)
    with tenant_session(customer) as session:
        note(session, bot_id, number, Changes(tags or (), remove or ()), None)
    show_one({"user": number, "tags": _known(customer, bot_id, number).user.tags}, as_json=as_json)


def _known(customer: int, bot_id: int, number: int) -> "Known":
    from botyard.accounts.access import tenant_session  # noqa: PLC0415
    from botyard.users.reading import user  # noqa: PLC0415

    with tenant_session(customer) as session:
        found = user(session, bot_id, number)
    if found is None:
        say(f"botyard: this bot has never heard of {number}. See `botyard user list`.")
        raise typer.Exit(TROUBLE)
    return found


def _line(known: "Known") -> dict[str, Any]:
    user = known.user
    return {
        "user": user.user_id,
        "name": " ".join(part for part in (user.first_name, user.last_name) if part),
        "username": user.username,
        "language": user.language or user.language_code,
        "tags": user.tags,
        "blocked": known.unreachable_since is not None,
        "last_seen": user.last_seen,
    }
