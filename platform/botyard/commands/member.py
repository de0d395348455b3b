"""``botyard member``: who acts for a customer."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from botyard.commands.output import AsJson, Yes, attached, confirm, say, show, show_json, show_one

if TYPE_CHECKING:
    from botyard.accounts.members import MemberLine

app = typer.Typer(help="Who acts for a customer.", no_args_is_help=True)

CustomerName = Annotated[str, typer.Argument(help="The customer: its username, or its number in the list.")]
PersonName = Annotated[str, typer.Argument(help="What they are called.")]
RoleName = Literal["owner", "manager", "operator", "viewer"]


@app.command(name="list")
def list_members(customer: CustomerName, *, as_json: AsJson = False) -> None:
    """List who acts for a customer, and as what."""
    from botyard.accounts.members import members_of  # noqa: PLC0415
    from botyard.accounts.services import customer_number  # noqa: PLC0415

    attached()
    lines = [_line(member) for member in members_of(customer_number(customer))]
    show(lines, as_json=as_json, nothing="Nobody; see `botyard member invite`.")


@app.command()
def invite(
    customer: CustomerName,
    *,
    role: Annotated[RoleName, typer.Option(help="What they may do.")] = "operator",
    as_json: AsJson = False,
) -> None:
    """Print a link with which one person begins to act for a customer; it is valid for 72 hours."""
    from botyard.accounts import invitations  # noqa: PLC0415
    from botyard.accounts.roles import Role  # noqa: PLC0415
    from botyard.accounts.services import customer_number  # noqa: PLC0415

    settings = attached()
    made = invitations.invite(None, customer_number(customer), Role.named(role))
    address = made.address(invitations.own_address(settings))
    if as_json:
        show_json({"id": made.row.id, "role": role, "link": address, "expires": made.row.expires_at})
        return
    say(f"For one {role}, until {made.row.expires_at.astimezone():%Y-%m-%d %H:%M}. Whoever has it comes in.")
    print(address)  # noqa: T201


@app.command()
def remove(customer: CustomerName, person: PersonName, *, yes: Yes = False, as_json: AsJson = False) -> None:
    """Let somebody act for a customer no more; their API keys for it are revoked."""
    from botyard.accounts import members  # noqa: PLC0415
    from botyard.accounts.services import customer_number  # noqa: PLC0415

    attached()
    number = customer_number(customer)
    member = members.member_named(number, person)
    confirm(f"Let {person} act for {customer} no more?", yes=yes)
    members.remove_member(None, number, member.person_id, None)
    show_one({"id": member.person_id, "name": person, "removed": True}, as_json=as_json)


@app.command()
def role(
    customer: CustomerName,
    person: PersonName,
    new: Annotated[RoleName, typer.Argument(help="What they may do from now on.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Let somebody act for a customer as something else."""
    from botyard.accounts import members  # noqa: PLC0415
    from botyard.accounts.roles import Role  # noqa: PLC0415
    from botyard.accounts.services import customer_number  # noqa: PLC0415

    attached()
    number = customer_number(customer)
    member = members.member_named(number, person)
    members.change_role(None, number, member.person_id, Role.named(new), None)
    show_one(_line(members.member_of(number, member.person_id)), as_json=as_json)


def _line(member: "MemberLine") -> dict[str, Any]:
    found = asdict(member)
    return {"id": found["person_id"], "name": found["name"], "role": str(member.role), "since": found["since"]}
