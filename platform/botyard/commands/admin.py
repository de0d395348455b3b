"""``botyard admin``: people and their bearer tokens."""

from dataclasses import asdict
from typing import Annotated, Final, Literal

import typer

from botyard.commands.output import AsJson, attached, say, show, show_json, show_one

app = typer.Typer(help="People, and the tokens that let them in.", no_args_is_help=True)

_SUPERADMIN: Final = "admin"


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
