"""Invitations: links with which people become members of a customer, or set their password."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import ConfigDict, Field, SecretStr

from botyard.accounts import invitations, keys
from botyard.accounts.access import Actor, customer_for
from botyard.accounts.invitations import NewLink
from botyard.accounts.roles import Role
from botyard.accounts.scopes import Scope
from botyard.settings import get_settings
from botyard.web.api.ids import CustomerId, InvitationId, ShownCustomerId, ShownInvitationId
from botyard.web.api.pages import Page, PageAsked
from botyard.web.api.rights import Need, SignedIn, creates, needs
from botyard.web.api.routes import Route
from botyard.web.api.shapes import Given, Shown, Time
from botyard.web.api.v1.members import RoleName
from botyard.web.api.v1.sessions import Device, SessionBegun, address_of, shown_once
from db.models import Invitation

router = APIRouter(prefix="/customers/{customer}/invitations", route_class=Route, tags=["members"])
of_links = APIRouter(prefix="/invitations", route_class=Route, tags=["members"])

Code = Annotated[SecretStr, Field(min_length=1, max_length=200)]
_EXAMPLE = "by_link_…"


class InvitationWanted(Given):
    """As what somebody is invited."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"role": "operator"}]})

    role: RoleName


class InvitationShown(Shown):
    """An invitation that is open, without its link."""

    id: ShownInvitationId
    role: str | None
    created_at: Time
    expires_at: Time


class InvitationMade(InvitationShown):
    """An invitation that was just made."""

    link: str | None = Field(description="For whom you invite: shown this once, and null when the request is repeated.")


class GivenCode(Given):
    """What a link ends with, behind the ``#``."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"code": _EXAMPLE}]})

    code: Code


class Redeemed(Given):
    """A link that is used, and what somebody has chosen."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"code": _EXAMPLE, "name": "anna", "password": "tulip wagon fog seven"}]}
    )

    code: Code
    name: str | None = Field(
        None, max_length=200, description="What you want to be called, if the link makes somebody."
    )
    password: SecretStr = Field(min_length=1, max_length=1000)


class LinkShown(Shown):
    """What a link is for."""

    purpose: str = Field(description="`first`: of the first superadmin; `member`; or `password`: to set one.")
    person: str | None = Field(description="Whose password it sets; null: it makes somebody.")
    customer: str | None
    role: str | None
    expires_at: Time


class Accepted(Shown):
    """Of which customer somebody is a member now."""

    customer_id: ShownCustomerId


def _again(actor: Actor, invitation: int) -> InvitationMade:
    row = invitations.invitation(invitation)
    customer_for(actor, row.customer_id or 0, needs=Role.OWNER)
    return InvitationMade(**_fields(row), link=None)


def _accepted(actor: Actor, customer: int) -> Accepted:
    del actor
    return Accepted(customer_id=customer)


@router.post("", status_code=201)
@needs(Role.OWNER, Scope.ACCOUNT_WRITE)
@creates(_again, secret=True)
def invite(
    actor: SignedIn, customer: CustomerId, wanted: InvitationWanted, request: Request, response: Response
) -> InvitationMade:
    """Make a link with which one person becomes a member; it is valid for 72 hours.

    Not with a key that has scopes, bots or an end: the member could do more than it, and for longer.
    """
    customer_for(actor, customer, needs=Role.OWNER)
    made: NewLink = invitations.invite(actor, customer, Role.named(wanted.role))
    response.headers["Cache-Control"] = "no-store"
    base = get_settings().public_url or str(request.base_url.replace(path="/"))
    return InvitationMade(**_fields(made.row), link=made.address(base))


@router.get("")
@needs(Role.OWNER, Scope.ACCOUNT_READ)
def list_invitations(actor: SignedIn, customer: CustomerId, asked: PageAsked) -> Page[InvitationShown]:
    """The invitations that are open, the latest first."""
    customer_for(actor, customer, needs=Role.OWNER)
    (before,) = asked.after(int) or (None,)
    found = [row for row in invitations.invitations_of(customer) if before is None or row.id < before]
    shown = [InvitationShown(**_fields(row)) for row in found[: asked.limit]]
    return Page.of(asked, shown, [shown[-1].id] if len(found) > asked.limit else None)


@router.get("/{invitation}")
@needs(Role.OWNER, Scope.ACCOUNT_READ)
def show_invitation(actor: SignedIn, customer: CustomerId, invitation: InvitationId) -> InvitationShown:
    """One of them."""
    customer_for(actor, customer, needs=Role.OWNER)
    return InvitationShown(**_fields(invitations.invitation_of(customer, invitation)))


@router.delete("/{invitation}", status_code=204)
@needs(Role.OWNER, Scope.ACCOUNT_WRITE)
def withdraw_invitation(actor: SignedIn, customer: CustomerId, invitation: InvitationId) -> None:
    """Let a link be valid no more."""
    customer_for(actor, customer, needs=Role.OWNER)
    invitations.withdraw(customer, invitation)


@of_links.post("/look")
@needs(Need.NOBODY)
def look_at_link(given: GivenCode) -> LinkShown:
    """What a link is for."""
    found = invitations.invited_by(given.code.get_secret_value())
    return LinkShown(
        purpose=found.purpose, person=found.person, customer=found.customer, role=found.role,
        expires_at=found.expires_at,
    )  # fmt: skip


@of_links.post("/redeem", status_code=201)
@needs(Need.NOBODY)
def redeem_link(request: Request, given: Redeemed, response: Response, device: Device = None) -> SessionBegun:
    """Use a link: become somebody, or set your password. You are signed in then."""
    code, password = given.code.get_secret_value(), given.password.get_secret_value()
    begun = invitations.redeem(code, given.name, password, address=address_of(request), device=device)
    return shown_once(response, begun)


@of_links.post("/accept", status_code=201)
@needs(Need.SIGNED_IN, Scope.ACCOUNT_WRITE)
@creates(_accepted)
def accept_link(actor: SignedIn, given: GivenCode) -> Accepted:
    """Become a member of a customer, as somebody who is signed in."""
    keys.check_whole(actor)
    return Accepted(customer_id=invitations.accept(actor, given.code.get_secret_value()))


def _fields(row: Invitation) -> dict[str, object]:
    return {"id": row.id, "role": row.role, "created_at": row.created_at, "expires_at": row.expires_at}
