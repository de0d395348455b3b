"""``/api/v1/sessions``: signing in with a password, and where one is signed in."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Request, Response
from pydantic import ConfigDict, Field, SecretStr

from botyard.accounts import keys, sign_ins
from botyard.accounts.access import NotFound
from botyard.accounts.passwords import LONGEST
from botyard.accounts.scopes import Scope
from botyard.accounts.sign_ins import SignedIn as Begun
from botyard.accounts.signed_tokens import LIFETIME
from botyard.web.api.ids import ShownPersonId, ShownSignInId, SignInId
from botyard.web.api.pages import Page, PageAsked
from botyard.web.api.rights import Need, SignedIn, needs
from botyard.web.api.routes import Route
from botyard.web.api.shapes import Given, Shown, Time
from db.models import SignIn

router = APIRouter(prefix="/sessions", route_class=Route, tags=["sessions"])

_NOBODY: Final = "unknown"
Device = Annotated[str | None, Header(alias="User-Agent", include_in_schema=False)]
_BEGUN: Final[dict[str, Any]] = {
    "id": "ses_9", "personId": "per_4", "accessToken": "eyJ…", "tokenType": "Bearer", "expiresIn": 900,
    "refreshToken": "by_refresh_9_…", "expiresAt": "2026-02-14T10:30:00.000Z",
}  # fmt: skip


class Credentials(Given):
    """Who somebody is, and how they prove it."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "anna", "password": "tulip wagon fog seven"}]}
    )  # fmt: skip

    name: str = Field(min_length=1, max_length=200)
    password: SecretStr = Field(min_length=1, max_length=LONGEST)


class RefreshToken(Given):
    """The refresh token of the answer before."""

    refresh_token: SecretStr = Field(max_length=200)


class SessionBegun(Shown):
    """What shows from now on who one is; it is shown this once."""

    model_config = ConfigDict(json_schema_extra={"examples": [_BEGUN]})

    id: ShownSignInId
    person_id: ShownPersonId
    access_token: str = Field(description="For `Authorization: Bearer …`.")
    token_type: str = Field(description="`Bearer`.")
    expires_in: int = Field(description="Seconds for which the access token is valid.")
    refresh_token: str = Field(description="For the next access token; good for one use.")
    expires_at: Time = Field(description="When one must sign in anew, whatever one does.")

    @classmethod
    def of(cls, begun: Begun) -> "SessionBegun":
        """Of what was made."""
        return cls(
            id=begun.sign_in_id, person_id=begun.person_id, access_token=begun.access, token_type="Bearer",  # noqa: S106
            expires_in=int(LIFETIME.total_seconds()), refresh_token=begun.refresh, expires_at=begun.expires_at,
        )  # fmt: skip


class SessionShown(Shown):
    """Where and when somebody has signed in."""

    id: ShownSignInId
    device: str | None = Field(description="What the browser or program calls itself.")
    created_at: Time
    refreshed_at: Time
    expires_at: Time
    current: bool = Field(description="It is the one with which this request is made.")

    @classmethod
    def of(cls, row: SignIn, current: int | None) -> "SessionShown":
        """Of its row."""
        return cls(
            id=row.id, device=row.device, created_at=row.created_at, refreshed_at=row.refreshed_at,
            expires_at=row.expires_at, current=row.id == current,
        )  # fmt: skip


def address_of(request: Request) -> str:
    """Where a request comes from; trusted proxies are seen through already (`botyard.web.proxies`)."""
    return request.client.host if request.client is not None else _NOBODY


@router.post("", status_code=201)
@needs(Need.NOBODY)
def begin_session(request: Request, given: Credentials, response: Response, device: Device = None) -> SessionBegun:
    """Sign in with name and password. After five wrong ones each further try has to wait, twice as long each time."""
    password = given.password.get_secret_value()
    begun = sign_ins.sign_in(given.name, password, address=address_of(request), device=device)
    return shown_once(response, begun)


@router.post("/refresh")
@needs(Need.NOBODY)
def refresh_session(given: RefreshToken, response: Response) -> SessionBegun:
    """The next tokens. An earlier refresh token ends the session: then somebody else has it, too."""
    return shown_once(response, sign_ins.refresh(given.refresh_token.get_secret_value()))


@router.get("")
@needs(Need.SIGNED_IN, Scope.KEYS_WRITE)
def list_sessions(actor: SignedIn, asked: PageAsked) -> Page[SessionShown]:
    """Where you are signed in, the latest first."""
    keys.check_whole(actor)
    (before,) = asked.after(int) or (None,)
    found = [row for row in sign_ins.sign_ins_of(actor.person_id) if before is None or row.id < before]
    shown = [SessionShown.of(row, actor.sign_in_id) for row in found[: asked.limit]]
    return Page.of(asked, shown, [shown[-1].id] if len(found) > asked.limit else None)


@router.delete("/current", status_code=204)
@needs(Need.SIGNED_IN, Scope.KEYS_WRITE)
def end_current_session(actor: SignedIn) -> None:
    """Sign out here."""
    if actor.sign_in_id is None:
        raise NotFound
    sign_ins.end_sign_in(actor.person_id, actor.sign_in_id)


@router.delete("/{session}", status_code=204)
@needs(Need.SIGNED_IN, Scope.KEYS_WRITE)
def end_session(actor: SignedIn, session: SignInId) -> None:
    """Sign out somewhere else; its access token is refused from the next request on."""
    keys.check_whole(actor)
    sign_ins.end_sign_in(actor.person_id, session)


def shown_once(response: Response, begun: Begun) -> SessionBegun:
    """What was made, in an answer that nobody keeps."""
    response.headers["Cache-Control"] = "no-store"
    return SessionBegun.of(begun)
