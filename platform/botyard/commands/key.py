"""``botyard key``: API keys of people."""

from typing import Annotated, Any

import typer

from botyard.commands.output import AsJson, attached, say, show, show_json, show_one

app = typer.Typer(help="API keys.", no_args_is_help=True)


@app.command()
def create(
    *,
    person: Annotated[str, typer.Option(help="Whose key it is: it gives at most what they may.")],
    name: Annotated[str, typer.Option(help="What it is for.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(help="A group of acts, as messages:send; say it again for more. All if not said."),
    ] = None,
    customer: Annotated[str | None, typer.Option(help="For this customer only, by username or number.")] = None,
    bot: Annotated[list[str] | None, typer.Option(help="For this bot only; say it again for more.")] = None,
    expires_days: Annotated[
        int | None, typer.Option(min=1, max=3650, help="Days after which it is refused; never if not said.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print a new API key, once: it is kept nowhere."""
    from botyard.accounts import keys  # noqa: PLC0415
    from botyard.accounts.scopes import Scope  # noqa: PLC0415
    from botyard.accounts.services import customer_number  # noqa: PLC0415

    attached()
    limits = keys.Limits(
        frozenset(Scope.named(one) for one in scope) if scope else None,
        customer_number(customer) if customer else None,
        keys.numbers_of(bot) if bot else None,
        keys.expiry(expires_days),
    )
    made = keys.create_key_of(person, name, limits)
    if as_json:
        show_json({"id": made.row.id, "person": person, "key": made.key})
        return
    say(f"Key {made.row.id} of {person}. It is not shown again; `botyard key revoke {made.row.id}` ends it.")
    print(made.key)  # noqa: T201


@app.command(name="list")
def list_keys(*, as_json: AsJson = False) -> None:
    """List the API keys that are valid: whose they are, to what they are limited, when they were used last."""
    from botyard.accounts.keys import every_key  # noqa: PLC0415

    attached()
    lines: list[dict[str, Any]] = [
        {
            "id": key.id, "person": person, "name": key.name,
            "scopes": key.scopes if as_json else ", ".join(key.scopes or ()), "customer": key.customer_id,
            "bots": key.bots if as_json else ", ".join(map(str, key.bots or ())), "created": key.created_at,
            "expires": key.expires_at, "used": key.last_used_at,
        }
        for key, person in every_key()
    ]  # fmt: skip
    show(lines, as_json=as_json, nothing="There is none; see `botyard key create`.")


@app.command()
def revoke(
    number: Annotated[int, typer.Argument(help="The key's number in the list.")], *, as_json: AsJson = False
) -> None:
    """Refuse an API key from now on."""
    from botyard.accounts.services import revoke_token  # noqa: PLC0415

    attached()
    revoke_token(number)
    show_one({"id": number, "revoked": True}, as_json=as_json)
