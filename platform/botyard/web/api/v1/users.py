"""``/api/v1/bots/{bot}/users``: the people of a bot."""

from datetime import datetime
from typing import Annotated, Any, Final, Self

from fastapi import APIRouter, Query, Response
from pydantic import ConfigDict, Field

from botyard.accounts.access import NotFound, bot_for, tenant_session
from botyard.accounts.roles import Role
from botyard.accounts.scopes import Scope
from botyard.users import reading
from botyard.users.noting import Changes, note
from botyard.users.reading import Chosen, Known
from botyard.users.tags import LONGEST_TAG, MOST_TAGS
from botyard.web.api.ids import BotId, ShownTelegramId, TelegramId
from botyard.web.api.pages import Page, PageAsked
from botyard.web.api.rights import SignedIn, needs
from botyard.web.api.routes import Route
from botyard.web.api.shapes import Given, GivenTime, Shown, Time
from botyard.web.api.versions import Expected, tagged

router = APIRouter(prefix="/bots/{bot}/users", route_class=Route, tags=["users"])

Tag = Annotated[str, Field(min_length=1, max_length=LONGEST_TAG)]
_SHOWN: Final[dict[str, Any]] = {
    "id": "7234567890", "firstName": "Ann", "lastName": None, "username": "ann", "languageCode": "en",
    "isPremium": False, "language": None, "tags": ["vip"], "attributes": {"plan": "gold"}, "blocked": False,
    "unreachableSince": None, "firstSeen": "2026-01-15T10:30:00.000Z", "lastSeen": "2026-01-15T10:35:00.000Z",
}  # fmt: skip
_CHANGE: Final[dict[str, Any]] = {
    "language": "pt-br",
    "tags": {"add": ["vip"], "remove": ["trial"]},
    "attributes": {"plan": "gold"},
}


class UserShown(Shown):
    """Somebody who wrote to the bot: what Telegram says of them, and what the bot's owner notes."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SHOWN]})

    id: ShownTelegramId
    first_name: str
    last_name: str | None
    username: str | None
    language_code: str | None = Field(description="What their Telegram says.")
    is_premium: bool
    language: str | None = Field(description="What the owner noted; goes before `languageCode`.")
    tags: list[str]
    attributes: dict[str, Any]
    blocked: bool = Field(description="The bot cannot write to them.")
    unreachable_since: Time | None
    first_seen: Time
    last_seen: Time = Field(description="To within ten minutes.")

    @classmethod
    def of(cls, known: Known) -> Self:
        """Of their row."""
        user = known.user
        return cls(
            id=user.user_id, first_name=user.first_name, last_name=user.last_name, username=user.username,
            language_code=user.language_code, is_premium=user.is_premium, language=user.language, tags=user.tags,
            attributes=user.attributes, blocked=known.unreachable_since is not None,
            unreachable_since=known.unreachable_since, first_seen=user.first_seen, last_seen=user.last_seen,
        )  # fmt: skip


class TagChange(Given):
    """Tags that somebody gets or loses."""

    add: list[Tag] = Field(default_factory=list, max_length=MOST_TAGS)
    remove: list[Tag] = Field(default_factory=list, max_length=MOST_TAGS)


class UserChange(Given):
    """What is noted of somebody; what is not named stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [_CHANGE]})

    language: str | None = Field(None, max_length=35, description="null: what their Telegram says.")
    tags: TagChange = Field(default_factory=TagChange)
    attributes: dict[Annotated[str, Field(min_length=1, max_length=100)], Any] = Field(
        default_factory=dict, max_length=200, description="By name; null removes one."
    )


@router.get("")
@needs(Role.VIEWER, Scope.USERS_READ)
def list_users(
    actor: SignedIn,
    bot: BotId,
    asked: PageAsked,
    *,
    tag: Annotated[
        str | None, Query(max_length=LONGEST_TAG, pattern="^[^\\x00]*$", description="Who has this tag.")
    ] = None,
    language: Annotated[
        str | None, Query(max_length=35, pattern="^[^\\x00]*$", description="Whose language is this one.")
    ] = None,
    blocked: Annotated[bool | None, Query(description="Who can, or cannot, be written to.")] = None,
    seen_since: Annotated[GivenTime | None, Query(alias="seenSince", description="Who was there since.")] = None,
    q: Annotated[
        str | None, Query(min_length=1, max_length=64, pattern="^[^\\x00]*$", description="Whose name begins so.")
    ] = None,
) -> Page[UserShown]:
    """The people of a bot, those it heard of last first. Whoever writes while you read on moves to the front."""
    found = bot_for(actor, bot, needs=Role.VIEWER)
    after = asked.after(datetime, int)
    before = None if after is None else (after[0], after[1])
    chosen = Chosen(tag, language, blocked, seen_since, q)
    with tenant_session(found.customer_id) as session:
        people = reading.users(session, found.id, chosen, before, asked.limit + 1)
    shown = people[: asked.limit]
    following = None
    if len(people) > len(shown):
        following = (shown[-1].user.last_seen, shown[-1].user.user_id)
    return Page.of(asked, [UserShown.of(one) for one in shown], following)


@router.get("/{user}")
@needs(Role.VIEWER, Scope.USERS_READ)
def show_user(actor: SignedIn, bot: BotId, user: TelegramId, response: Response) -> UserShown:
    """One of them, by Telegram's number."""
    found = bot_for(actor, bot, needs=Role.VIEWER)
    return _shown(found.customer_id, found.id, user, response)


@router.patch("/{user}")
@needs(Role.OPERATOR, Scope.USERS_WRITE)
def change_user(
    actor: SignedIn, bot: BotId, user: TelegramId, change: UserChange, expected: Expected, response: Response
) -> UserShown:
    """Note something of somebody: a language, tags, attributes."""
    found = bot_for(actor, bot, needs=Role.OPERATOR)
    changes = Changes(
        change.tags.add, change.tags.remove, change.attributes, change.language, "language" in change.model_fields_set
    )
    with tenant_session(found.customer_id) as session:
        if not note(session, found.id, user, changes, expected):
            raise NotFound
    return _shown(found.customer_id, found.id, user, response)


def _shown(customer_id: int, bot_id: int, user_id: int, response: Response) -> UserShown:
    with tenant_session(customer_id) as session:
        known = reading.user(session, bot_id, user_id)
    if known is None:
        raise NotFound
    return tagged(response, known.user.version, UserShown.of(known))
