"""``/api/v1/me``: who asks, and what they may."""

from fastapi import APIRouter, Response
from pydantic import ConfigDict, Field, SecretStr

from botyard.accounts import keys, people
from botyard.accounts.access import Actor
from botyard.accounts.passwords import LONGEST
from botyard.accounts.scopes import Scope
from botyard.web.api.ids import ShownBotId, ShownCustomerId, ShownKeyId, ShownPersonId, ShownSignInId
from botyard.web.api.rights import Need, SignedIn, needs
from botyard.web.api.routes import Route
from botyard.web.api.shapes import Given, Shown, Time
from botyard.web.api.versions import Expected, tagged

router = APIRouter(prefix="/me", route_class=Route, tags=["me"])


class PlaceShown(Shown):
    """For which customer somebody acts, and as what."""

    customer_id: ShownCustomerId
    username: str | None
    name: str
    role: str
    suspended: bool


class Me(Shown):
    """Who asks."""

    id: ShownPersonId
    name: str
    superadmin: bool = Field(description="Whether this request may do everything, for every customer.")
    password_since: Time | None = Field(description="Null: there is none.")
    customers: list[PlaceShown]
    session_id: ShownSignInId | None = Field(description="The session with which this request is made.")
    key_id: ShownKeyId | None = Field(description="The API key with which it is made.")
    scopes: list[str] | None = Field(description="Of this key; null: whatever its person may.")
    bots: list[ShownBotId] | None = Field(description="Of this key; null: all.")


class Renamed(Given):
    """Another name."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Anna B."}]})

    name: str = Field(max_length=200)


class NewPassword(Given):
    """Another password, and the one before."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"old": "tulip wagon fog seven", "new": "candle orbit moss nineteen"}]}
    )

    old: SecretStr = Field(min_length=1, max_length=LONGEST)
    new: SecretStr = Field(min_length=1, max_length=1000)


@router.get("")
@needs(Need.SIGNED_IN, Scope.ACCOUNT_READ)
def show_me(actor: SignedIn, response: Response) -> Me:
    """Who you are, for whom you act, and to what your API key limits you."""
    return _shown(actor, response)


@router.patch("")
@needs(Need.SIGNED_IN, Scope.KEYS_WRITE)
def rename_me(actor: SignedIn, renamed: Renamed, response: Response, expected: Expected) -> Me:
    """Be called something else; it is the name with which you sign in."""
    keys.check_whole(actor)
    people.rename_person(actor.person_id, renamed.name, expected)
    return _shown(actor, response)


@router.put("/password", status_code=204)
@needs(Need.SIGNED_IN, Scope.KEYS_WRITE)
def change_my_password(actor: SignedIn, given: NewPassword) -> None:
    """Take another password, of 12 characters at least. All sessions end, this one, too; API keys stay."""
    keys.check_whole(actor)
    people.change_password(actor.person_id, given.old.get_secret_value(), given.new.get_secret_value())


def _shown(actor: Actor, response: Response) -> Me:
    person, places = people.person_and_places(actor.person_id)
    # A key for one customer tells nothing of the others.
    seen = [place for place in places if actor.superadmin or place.customer_id in actor.roles]
    shown = Me(
        id=person.id, name=person.name, superadmin=actor.superadmin, password_since=person.password_since,
        customers=[
            PlaceShown(
                customer_id=place.customer_id, username=place.username, name=place.name, role=str(place.role),
                suspended=place.suspended,
            ) for place in seen
        ],
        session_id=actor.sign_in_id, key_id=actor.key_id,
        scopes=None if actor.scopes is None else sorted(actor.scopes),
        bots=None if actor.bots is None else sorted(actor.bots),
    )  # fmt: skip
    return tagged(response, person.version, shown)
