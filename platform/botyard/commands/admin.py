"""``botyard admin``: people, how they come in, and their bearer tokens."""

import sys
from dataclasses import asdict
from typing import Annotated, Final, Literal

import typer

from botyard.commands.output import WRONG_USE, AsJson, attached, say, show, show_json, show_one

app = typer.Typer(help="People, and the tokens that let them in.", no_args_is_help=True)

_SUPERADMIN: Final = "admin"


@app.command()
def create(
    *,
    name: Annotated[str | None, typer.Option(help="What they are called; asked for if not said.")] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input: its first line.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a superadmin, who signs in with a name and a password; it is asked for twice."""
    from botyard.accounts.people import add_superadmin  # noqa: PLC0415

    attached()
    if name is None or not password_stdin:
        _needs_a_terminal()
    called = name if name is not None else str(typer.prompt("Name", err=True))
    if password_stdin:
        password = sys.stdin.readline().removesuffix("\n")
    else:
        password = str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    person = add_superadmin(called, password)
    show_one({"id": person.id, "name": person.name, "superadmin": person.superadmin}, as_json=as_json)


@app.command()
def link(
    *,
    name: Annotated[
        str | None, typer.Option(help="Who sets a password with it; the first superadmin if not said.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print a link that is valid once: for the first superadmin, or for somebody to set another password."""
    from botyard.accounts.invitations import first_link, own_address, password_link  # noqa: PLC0415
    from botyard.errors import InputError  # noqa: PLC0415

    settings = attached()
    made = first_link() if name is None else password_link(name)
    if made is None:
        raise InputError(
            "name", "is not said, and there is somebody already.", "Say --name, or `botyard admin create`."
        )
    address = made.address(own_address(settings))
    if as_json:
        show_json({"link": address, "expires": made.row.expires_at})
        return
    say(f"Valid once, until {made.row.expires_at.astimezone():%H:%M}. Whoever has it comes in.")
    print(address)  # noqa: T201


def _needs_a_terminal() -> None:
    if not sys.stdin.isatty():
        say("botyard: nobody is there to ask: say --name and --password-stdin.")
        raise typer.Exit(WRONG_USE)


@app.command()
def token(
    *,
    name: Annotated[
        str | None, typer.Option(help="The person; made if missing. Default: admin, or CUSTOMER-ROLE.")
    ] = None,
    customer: Annotated[
        str | None, typer.Option(help="For whom they act, by username or number; a superadmin if not said.")
    ] = None,
    role: Annotated[
        Literal["owner", "manager", "operator", "viewer"], typer.Option(help="What they may do for the customer.")
    ] = "owner",
    expires_days: Annotated[
        int | None, typer.Option(min=1, max=3650, help="Days after which it is refused; never if not said.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print a new bearer token, once: it is kept nowhere."""
    from botyard.accounts.records import TokenWanted  # noqa: PLC0415
    from botyard.accounts.roles import Role  # noqa: PLC0415
    from botyard.accounts.services import new_token  # noqa: PLC0415

    attached()
    called = name or (_SUPERADMIN if customer is None else f"{customer}-{role}")
    made = new_token(TokenWanted(called, customer, None if customer is None else Role.named(role), expires_days))
    if as_json:
        show_json({"id": made.id, "person": made.person, "token": made.token})
        return
    say(f"Token {made.id} of {made.person}. It is not shown again; `botyard admin revoke {made.id}` ends it.")
    print(made.token)  # noqa: T201


@app.command()
def tokens(*, as_json: AsJson = False) -> None:
    """List the bearer tokens: whose they are and until when, not the tokens themselves."""
    from botyard.accounts.services import token_lines  # noqa: PLC0415

    attached()
    show([asdict(line) for line in token_lines()], as_json=as_json, nothing="There is none; see `botyard admin token`.")


@app.command()
def revoke(
    number: Annotated[int, typer.Argument(help="The token's number in the list.")], *, as_json: AsJson = False
) -> None:
    """Refuse a bearer token from now on."""
    from botyard.accounts.services import revoke_token, token_lines  # noqa: PLC0415

    attached()
    revoke_token(number)
    show_one(next(asdict(line) for line in token_lines() if line.id == number), as_json=as_json)
