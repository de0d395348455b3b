"""``botyard customer``: who owns bots."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from botyard.commands.output import AsJson, Yes, attached, confirm, show, show_one

app = typer.Typer(help="Customers.", no_args_is_help=True)

CustomerName = Annotated[str, typer.Argument(help="Its username, or its number in the list.")]


@app.command()
def add(
    username: Annotated[str, typer.Argument(help="What it is called in commands: small letters, digits, _ and -.")],
    *,
    name: Annotated[str | None, typer.Option(help="What it is called for people; its username if not said.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a customer; `botyard admin token --customer` lets its people in."""
    from botyard.accounts.customers import add_customer  # noqa: PLC0415

    attached()
    made = add_customer(username, name)
    show_one(_line(made.id), as_json=as_json)


@app.command(name="list")
def list_customers(*, as_json: AsJson = False) -> None:
    """List the customers, and how many bots each has."""
    from botyard.accounts.listing import customer_lines  # noqa: PLC0415

    attached()
    show([asdict(line) for line in customer_lines()], as_json=as_json)


@app.command(name="show")
def show_customer(customer: CustomerName, *, as_json: AsJson = False) -> None:
    """Show one customer, with its people."""
    from botyard.accounts.services import customer_number, members  # noqa: PLC0415

    attached()
    number = customer_number(customer)
    show_one(_line(number) | {"people": ", ".join(members(number))}, as_json=as_json)


@app.command()
def rename(
    customer: CustomerName,
    name: Annotated[str, typer.Argument(help="What it is to be called for people.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Call a customer something else for people; its username stays."""
    from botyard.accounts.services import customer_number  # noqa: PLC0415
    from botyard.accounts.turning import change_customer  # noqa: PLC0415

    attached()
    number = customer_number(customer)
    change_customer(number, name=name)
    show_one(_line(number), as_json=as_json)


@app.command()
def suspend(customer: CustomerName, *, as_json: AsJson = False) -> None:
    """Let a customer's people in no more, and switch its bots off; nothing is removed."""
    from botyard.accounts.services import customer_number  # noqa: PLC0415
    from botyard.accounts.turning import change_customer  # noqa: PLC0415

    attached()
    number = customer_number(customer)
    change_customer(number, status="suspended")
    show_one(_line(number), as_json=as_json)


@app.command()
def resume(customer: CustomerName, *, as_json: AsJson = False) -> None:
    """Let a suspended customer's people in again; its bots go on as before."""
    from botyard.accounts.services import customer_number  # noqa: PLC0415
    from botyard.accounts.turning import change_customer  # noqa: PLC0415

    attached()
    number = customer_number(customer)
    change_customer(number, status="active")
    show_one(_line(number), as_json=as_json)


@app.command()
def remove(
    customer: CustomerName,
    *,
    now: Annotated[bool, typer.Option("--now", help="Keep nothing of it: it cannot be restored.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Remove a customer with its bots; for REMOVED_DATA_DAYS what is kept of them stays, and it can be restored."""
    from botyard.accounts.services import customer_number  # noqa: PLC0415
    from botyard.accounts.turning import remove_customer  # noqa: PLC0415

    settings = attached()
    number = customer_number(customer)
    line = _line(number)
    days = 0 if now else settings.removed_data_days
    ends = f"For {days} days it can be restored." if days else "This cannot be undone."
    confirm(f"Remove the customer {customer} with {line['bots']} bots? {ends}", yes=yes)
    left = remove_customer(number, now=now)
    row = {"id": number, "state": left.state, "bots": left.bots, "kept_until": left.kept_until}
    show_one(row, as_json=as_json)


@app.command()
def restore(customer: CustomerName, *, as_json: AsJson = False) -> None:
    """Take the removal of a customer back, while it is kept: it, its people and its bots are as they were."""
    from botyard.accounts.services import customer_number  # noqa: PLC0415
    from botyard.accounts.turning import restore_customer  # noqa: PLC0415

    attached()
    number = customer_number(customer)
    restore_customer(number)
    show_one(_line(number), as_json=as_json)


def _line(number: int) -> dict[str, Any]:
    from botyard.accounts.listing import customer_lines  # noqa: PLC0415

    return next(asdict(line) for line in customer_lines() if line.id == number)
