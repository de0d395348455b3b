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
    from botyard.accounts.customers import customer_lines  # noqa: PLC0415

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
def suspend(customer: CustomerName, *, as_json: AsJson = False) -> None:
    """Let a customer's people in no more, and switch its bots off; nothing is removed."""
    from botyard.accounts.customers import suspend_customer  # noqa: PLC0415
    from botyard.accounts.services import customer_number  # noqa: PLC0415
    from botyard.bots.errands import connect_bot  # noqa: PLC0415

    attached()
    number = customer_number(customer)
    for bot in suspend_customer(number):
        connect_bot(bot)
    show_one(_line(number), as_json=as_json)


@app.command()
def resume(customer: CustomerName, *, as_json: AsJson = False) -> None:
    """Let a suspended customer's people in again; its bots go on as before."""
    from botyard.accounts.customers import resume_customer  # noqa: PLC0415
    from botyard.accounts.services import customer_number  # noqa: PLC0415
    from botyard.bots.errands import connect_bot  # noqa: PLC0415

    attached()
    number = customer_number(customer)
    for bot in resume_customer(number):
        connect_bot(bot)
    show_one(_line(number), as_json=as_json)


@app.command()
def remove(customer: CustomerName, *, yes: Yes = False, as_json: AsJson = False) -> None:
    """Remove a customer with its bots and everything of them; a worker does the rest of it."""
    from botyard.accounts import customers  # noqa: PLC0415
    from botyard.accounts.services import customer_number  # noqa: PLC0415
    from botyard.bots import errands  # noqa: PLC0415

    attached()
    number = customer_number(customer)
    line = _line(number)
    confirm(f"Remove the customer {customer} with {line['bots']} bots? This cannot be undone.", yes=yes)
    customers.begin_removal(number)
    bots = customers.remove_customer(number)
    if bots:
        errands.remove_bots(bots, number)
    show_one({"id": number, "state": "removing" if bots else "removed", "bots": bots}, as_json=as_json)


def _line(number: int) -> dict[str, Any]:
    from botyard.accounts.customers import customer_lines  # noqa: PLC0415

    return next(asdict(line) for line in customer_lines() if line.id == number)
