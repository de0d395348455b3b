"""``/api/v1/health``: how the installation is. States for everybody who is signed in, sentences for superadmins."""

from typing import Final, Literal

from fastapi import APIRouter
from pydantic import Field

from botyard.accounts.scopes import Scope
from botyard.checks.finding import Finding, State
from botyard.checks.installation import installation_findings
from botyard.settings import get_settings
from botyard.web.api.rights import Need, SignedIn, needs
from botyard.web.api.routes import Route
from botyard.web.api.shapes import Shown

router = APIRouter(prefix="/health", route_class=Route, tags=["health"])

_WORST: Final[tuple[State, ...]] = ("trouble", "warning", "ok")


class PartShown(Shown):
    """One thing that everything depends on."""

    check: str
    state: Literal["ok", "warning", "trouble"]
    says: str | None = Field(description="For superadmins: what was found.")
    remedy: str | None = Field(description="For superadmins: what to do, if there is something to do.")


class HealthSeen(Shown):
    """How the installation is."""

    state: Literal["ok", "warning", "trouble"] = Field(description="The worst of its parts.")
    parts: list[PartShown]


@router.get("")
@needs(Need.SIGNED_IN, Scope.BOTS_READ)
def show_installation(actor: SignedIn) -> HealthSeen:
    """How the installation is: database, Redis, workers, bots. What it says of them is for superadmins."""
    found = installation_findings(get_settings())
    if not actor.superadmin:
        # How other customers' bots are is not for them.
        found = [finding for finding in found if finding.check != "bots"]
    states = {finding.state for finding in found}
    parts = [_shown(finding, told=actor.superadmin) for finding in found]
    return HealthSeen(state=next((state for state in _WORST if state in states), "ok"), parts=parts)


def _shown(finding: Finding, *, told: bool) -> PartShown:
    says, remedy = (finding.says, finding.remedy or None) if told else (None, None)
    return PartShown(check=finding.check, state=finding.state, says=says, remedy=remedy)
