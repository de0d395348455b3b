"""``/api/v1/customers/{customer}/members``: who acts for a customer."""

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import ConfigDict

from botyard.accounts import members
from botyard.accounts.access import customer_for
from botyard.accounts.members import MemberLine
from botyard.accounts.roles import Role
from botyard.accounts.scopes import Scope
from botyard.web.api.ids import CustomerId, PersonId, ShownPersonId
from botyard.web.api.pages import Page, PageAsked
from botyard.web.api.rights import SignedIn, needs
from botyard.web.api.routes import Route
from botyard.web.api.shapes import Given, Shown, Time
from botyard.web.api.versions import Expected, tagged

router = APIRouter(prefix="/customers/{customer}/members", route_class=Route, tags=["members"])

RoleName = Literal["owner", "manager", "operator", "viewer"]


class MemberShown(Shown):
    """Somebody who acts for a customer."""

    person_id: ShownPersonId
    name: str
    role: RoleName
    since: Time

    @classmethod
    def of(cls, member: MemberLine) -> "MemberShown":
        """Of what the service tells."""
        return cls.model_validate({
            "person_id": member.person_id, "name": member.name, "role": str(member.role), "since": member.since
        })  # fmt: skip


class NewRole(Given):
    """What somebody shall be."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"role": "manager"}]})

    role: RoleName


@router.get("")
@needs(Role.OWNER, Scope.ACCOUNT_READ)
def list_members(actor: SignedIn, customer: CustomerId, asked: PageAsked) -> Page[MemberShown]:
    """Who acts for a customer."""
    customer_for(actor, customer, needs=Role.OWNER)
    (after,) = asked.after(int) or (0,)
    found = members.members_of(customer, after=after, limit=asked.limit + 1)
    shown = [MemberShown.of(member) for member in found[: asked.limit]]
    return Page.of(asked, shown, [shown[-1].person_id] if len(found) > asked.limit else None)


@router.get("/{person}")
@needs(Role.OWNER, Scope.ACCOUNT_READ)
def show_member(actor: SignedIn, customer: CustomerId, person: PersonId, response: Response) -> MemberShown:
    """One of them."""
    customer_for(actor, customer, needs=Role.OWNER)
    return _tagged(response, members.member_of(customer, person))


@router.patch("/{person}")
@needs(Role.OWNER, Scope.ACCOUNT_WRITE)
def change_role(
    actor: SignedIn, customer: CustomerId, person: PersonId, new: NewRole, response: Response, expected: Expected
) -> MemberShown:
    """Let somebody act as something else. The last owner stays one, but for a superadmin.

    A higher role is not given with a key that has scopes, bots or an end.
    """
    customer_for(actor, customer, needs=Role.OWNER)
    members.change_role(actor, customer, person, Role.named(new.role), expected)
    return _tagged(response, members.member_of(customer, person))


@router.delete("/{person}", status_code=204)
@needs(Role.OWNER, Scope.ACCOUNT_WRITE)
def remove_member(actor: SignedIn, customer: CustomerId, person: PersonId, expected: Expected) -> None:
    """Let somebody act for a customer no more; their API keys for it are revoked. The last owner stays, as above.

    Invitations that they made and that are still open are withdrawn.
    """
    customer_for(actor, customer, needs=Role.OWNER)
    members.remove_member(actor, customer, person, expected)


def _tagged(response: Response, member: MemberLine) -> MemberShown:
    return tagged(response, member.version, MemberShown.of(member))
