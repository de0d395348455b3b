"""``/api/v1/keys``: one's API keys."""

from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Response
from pydantic import ConfigDict, Field

from botyard.accounts import keys
from botyard.accounts.access import Actor
from botyard.accounts.keys import Limits
from botyard.accounts.scopes import Scope
from botyard.web.api.ids import BotId, CustomerId, KeyId, ShownBotId, ShownCustomerId, ShownKeyId
from botyard.web.api.pages import Page, PageAsked
from botyard.web.api.rights import Need, SignedIn, creates, needs
from botyard.web.api.routes import Route
from botyard.web.api.shapes import Given, Shown, Time
from db.models import AccessToken

router = APIRouter(prefix="/keys", route_class=Route, tags=["keys"])

_LONGEST_DAYS: Final = 3650
Days = Annotated[int, Field(ge=1, le=_LONGEST_DAYS)]
# JSON has no enumerations: what comes in is text.
GivenScope = Annotated[Scope, Field(strict=False)]


class KeyWanted(Given):
    """An API key that is to be made, and its limits."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "shop",
                    "scopes": ["messages:send"],
                    "customerId": "cus_12",
                    "bots": ["bot_31"],
                    "expiresDays": 90,
                }
            ]
        }
    )

    name: str = Field(max_length=200, description="What it is for.")
    scopes: list[GivenScope] | None = Field(None, max_length=50, description="Null: whatever you may.")
    customer_id: CustomerId | None = Field(None, description="Null: every customer of yours.")
    bots: list[BotId] | None = Field(None, max_length=100, description="Null: every bot of these customers.")
    expires_days: Days | None = Field(None, description="After so many days it is refused; null: never.")


class Rotation(Given):
    """How a key gives way to another one."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"overlapSeconds": 3600}]})

    overlap_seconds: int = Field(
        86400, ge=0, le=int(keys.LONGEST_OVERLAP.total_seconds()), description="How long the old one is still valid."
    )
    expires_days: Days | None = Field(None, description="Of the new one; null: as long as the old one was to be valid.")


class KeyShown(Shown):
    """An API key, without the key itself."""

    id: ShownKeyId
    name: str | None
    hint: str | None = Field(description="How it begins.")
    scopes: list[str] | None = Field(description="Null: whatever its person may.")
    customer_id: ShownCustomerId | None
    bots: list[ShownBotId] | None
    created_at: Time
    expires_at: Time | None
    revoked_at: Time | None
    last_used_at: Time | None = Field(description="To the minute.")

    @classmethod
    def of(cls, row: AccessToken) -> "KeyShown":
        """Of its row."""
        return cls(**_fields(row))


class KeyMade(KeyShown):
    """A key that was just made."""

    key: str | None = Field(description="The key itself: shown this once, and null when the request is repeated.")


def _again(actor: Actor, key: int) -> KeyMade:
    return KeyMade(**_fields(keys.key_for(actor, key)), key=None)


@router.get("")
@needs(Need.SIGNED_IN, Scope.KEYS_WRITE)
def list_keys(actor: SignedIn, asked: PageAsked) -> Page[KeyShown]:
    """Your keys that are valid, the latest first; with a limited key those within its limits."""
    (before,) = asked.after(int) or (None,)
    found = keys.keys_of(actor, before=before, limit=asked.limit + 1)
    shown = [KeyShown.of(row) for row in found[: asked.limit]]
    return Page.of(asked, shown, [shown[-1].id] if len(found) > asked.limit else None)


@router.post("", status_code=201)
@needs(Need.SIGNED_IN, Scope.KEYS_WRITE)
@creates(_again, secret=True)
def create_key(actor: SignedIn, wanted: KeyWanted, response: Response) -> KeyMade:
    """Make a key. It gives at most what you may; made with another key, at most what that one gives."""
    limits = Limits(
        None if wanted.scopes is None else frozenset(wanted.scopes), wanted.customer_id,
        None if wanted.bots is None else frozenset(wanted.bots), keys.expiry(wanted.expires_days),
    )  # fmt: skip
    return _made(response, keys.create_key(actor, wanted.name, limits))


@router.get("/{key}")
@needs(Need.SIGNED_IN, Scope.KEYS_WRITE)
def show_key(actor: SignedIn, key: KeyId) -> KeyShown:
    """One of your keys."""
    return KeyShown.of(keys.key_for(actor, key))


@router.post("/{key}/rotate", status_code=201)
@needs(Need.SIGNED_IN, Scope.KEYS_WRITE)
@creates(_again, secret=True)
def rotate_key(actor: SignedIn, key: KeyId, rotation: Rotation, response: Response) -> KeyMade:
    """Make another key with the same limits; the old one is valid for a while more, and is not rotated again."""
    overlap = timedelta(seconds=rotation.overlap_seconds)
    made = keys.rotate_key(actor, key, overlap=overlap, expires_at=keys.expiry(rotation.expires_days))
    return _made(response, made)


@router.delete("/{key}", status_code=204)
@needs(Need.SIGNED_IN, Scope.KEYS_WRITE)
def revoke_key(actor: SignedIn, key: KeyId) -> None:
    """Refuse a key from the next request on."""
    keys.revoke_key(actor, key)


def _made(response: Response, made: keys.NewKey) -> KeyMade:
    response.headers["Cache-Control"] = "no-store"
    response.headers["Location"] = f"/api/v1/keys/key_{made.row.id}"
    return KeyMade(**_fields(made.row), key=made.key)


def _fields(row: AccessToken) -> dict[str, object]:
    return {
        "id": row.id, "name": row.name, "hint": None if row.public_id is None else f"by_{row.public_id}_…",
        "scopes": row.scopes, "customer_id": row.customer_id, "bots": row.bots, "created_at": row.created_at,
        "expires_at": row.expires_at, "revoked_at": row.revoked_at, "last_used_at": row.last_used_at,
    }  # fmt: skip
