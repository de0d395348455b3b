"""``/api/v1/bots``: bots in lists and one by one; adding, changing and removing them."""

from typing import Annotated, Any, Final, Literal, Self

from fastapi import APIRouter, Query, Response
from pydantic import ConfigDict, Field, JsonValue, SecretStr

from botyard.accounts import onboarding, reading
from botyard.accounts.access import AccessError, Actor, bot_for, customer_for
from botyard.accounts.roles import Role
from botyard.accounts.scopes import Scope
from botyard.bots import statuses
from botyard.bots.configuration.configuring import configure
from botyard.bots.configuration.model import UNSET
from botyard.bots.connection.steps import Step
from botyard.bots.searching import BotsWanted, place_of
from botyard.errors import InputError
from botyard.web.api.ids import BotId, CustomerId, ShownBotId, ShownCustomerId, ShownTelegramId, TelegramId
from botyard.web.api.pages import Page, PageAsked
from botyard.web.api.rights import SignedIn, creates, needs
from botyard.web.api.routes import Route
from botyard.web.api.shapes import Given, HealthShown, Shown, Time
from botyard.web.api.versions import Expected, etag, tagged
from db.engine import storable
from db.models import Bot, BotHealth

router = APIRouter(prefix="/bots", route_class=Route, tags=["bots"])

Status = Literal["active", "inactive", "error", "paused", "maintenance"]
HealthState = Literal["unknown", "ok", "warning", "trouble"]
_EXAMPLE: Final[dict[str, JsonValue]] = {
    "id": "bot_31", "customerId": "cus_12", "telegramId": "7234567890", "username": "acme_bot", "name": "Acme",
    "kind": "demo", "status": "active", "reason": None, "since": "2026-11-22T02:00:00.000Z", "removing": False,
    "queue": "updates", "share": None, "intake": "webhook", "hasPicture": True,
    "addedAt": "2026-11-20T09:00:00.000Z", "version": 7,
}  # fmt: skip


_STEP: Final[dict[str, JsonValue]] = {
    "step": "token", "state": "ok", "says": "Telegram accepts the token: it is @acme_bot.", "remedy": "",
}  # fmt: skip


class BotSeen(Shown):
    """A bot, without anything that is secret."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: ShownBotId
    customer_id: ShownCustomerId
    telegram_id: ShownTelegramId
    username: str
    name: str = Field(description="As Telegram has it; it is changed there.")
    kind: str = Field(description="Which code it runs.")
    status: Status
    reason: str | None = Field(description="Why it is so, in a person's words.")
    since: Time
    removing: bool = Field(description="Its removal has begun.")
    queue: Literal["updates", "slow"] = Field(description="The pool in which its updates are.")
    share: int | None = Field(description="How many of its slices may be under way at once.")
    intake: Literal["webhook", "polling"] = Field(description="How its updates come.")
    has_picture: bool
    added_at: Time
    version: int = Field(description="As in `ETag`: counts its changes.")

    @classmethod
    def of(cls, bot: Bot) -> Self:
        """Of its row."""
        return cls.model_validate(_values(bot))


class BotListed(BotSeen):
    """A bot in a list, with its health."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_EXAMPLE, "health": None}]})

    health: HealthShown | None = Field(description="What the last health check found; null before the first.")

    @classmethod
    def with_health(cls, bot: Bot, health: BotHealth | None) -> Self:
        """Of its rows."""
        return cls.model_validate({**_values(bot), "health": None if health is None else HealthShown.of(health)})


def _values(bot: Bot) -> dict[str, Any]:
    return {
        "id": bot.id, "customer_id": bot.customer_id, "telegram_id": bot.telegram_id, "username": bot.username,
        "name": bot.name, "kind": bot.kind, "status": bot.status, "reason": bot.status_reason,
        "since": bot.status_since, "removing": bot.removal_began is not None, "queue": bot.queue, "share": bot.share,
        "intake": bot.intake, "has_picture": bot.picture is not None, "added_at": bot.created_at,
        "version": bot.config_version,
    }  # fmt: skip


class NewBotGiven(Given):
    """A bot to be added."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"token": "7234567890:AAH…", "kind": "demo"}]})

    token: SecretStr = Field(max_length=200, description="From BotFather; it is sealed, and never shown.")
    kind: str | None = Field(None, max_length=200, description="An installed kind, or `package.module:function`.")
    customer_id: CustomerId | None = Field(None, description="For somebody who acts for more than one.")


class TokenGiven(Given):
    """Another token."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"token": "7234567890:AAH…"}]})

    token: SecretStr = Field(max_length=200)


class BotChange(Given):
    """How a bot is served; what is not named stays, what is null is as it is by default."""

    answer_callbacks: bool | None = None
    repeat_uncertain: bool | None = None
    sends: Literal["outbox", "direct"] | None = None
    retry: bool | None = None
    forget_after: int | None = Field(None, ge=0, le=2**31)
    queue: Literal["updates", "slow", "auto"] | None = None
    share: int | None = Field(None, ge=0, le=1000)
    admin_chat_id: TelegramId | None = Field(None, description="The chat that hears of its troubles.")


class StepShown(Shown):
    """One step of a longer work, that is over."""

    step: str
    state: Literal["ok", "warning", "trouble"]
    says: str
    remedy: str = Field(description="What to do; empty when there is nothing to do.")

    @classmethod
    def of(cls, step: Step) -> Self:
        """The same for the wire."""
        return cls(step=step.name, state=step.state, says=step.says, remedy=step.remedy)


class BotAdded(BotSeen):
    """A bot that was added, and how that went."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_EXAMPLE, "steps": [_STEP]}]})

    steps: list[StepShown] = Field(description="Empty if the request is repeated after its answer was lost.")


def _added(actor: Actor, bot: int, steps: list[Step] | None = None) -> BotAdded:
    found = bot_for(actor, bot, needs=Role.VIEWER)
    return BotAdded.model_validate({**_values(found), "steps": [StepShown.of(step) for step in steps or ()]})


def bot_again(actor: Actor, bot: int, response: Response) -> BotSeen:
    """A bot as it is now, after a change, with its version."""
    found = bot_for(actor, bot, needs=Role.VIEWER)
    return tagged(response, found.config_version, BotSeen.of(found))


@router.get("")
@needs(Role.VIEWER, Scope.BOTS_READ)
def list_bots(
    actor: SignedIn,
    asked: PageAsked,
    *,
    customer: Annotated[CustomerId | None, Query(description="Of this customer only.")] = None,
    status: Annotated[Status | None, Query(description="With this status only.")] = None,
    health: Annotated[HealthState | None, Query(description="With this health only.")] = None,
    kind: Annotated[str | None, Query(max_length=200, description="Of this kind only.")] = None,
    q: Annotated[str | None, Query(max_length=64, description="Whose usernames begin so.")] = None,
    sort: Annotated[Literal["trouble"] | None, Query(description="Those with troubles first.")] = None,
) -> Page[BotListed]:
    """The bots of those for whom you act; all of them for a superadmin."""
    if customer is not None:
        customer_for(actor, customer, needs=Role.VIEWER)
    beginning = None if q is None else storable(q.removeprefix("@"))
    code = None if kind is None else storable(kind)
    wanted = BotsWanted(customer, status, health, code, beginning, trouble_first=sort == "trouble")
    after = asked.after(int, int)
    found = reading.bots_page(actor, wanted, None if after is None else (after[0], after[1]), asked.limit + 1)
    shown = found[: asked.limit]
    following = place_of(shown[-1], wanted) if len(found) > len(shown) else None
    return Page.of(asked, [BotListed.with_health(*one) for one in shown], following)


@router.post("", status_code=201)
@needs(Role.MANAGER, Scope.BOTS_WRITE)
@creates(_added)
def add_bot(actor: SignedIn, new: NewBotGiven, response: Response) -> BotAdded:
    """Add a bot: its token is checked with Telegram, then a worker connects it. `steps` says how that went so far."""
    if actor.bots is not None:
        raise AccessError("This API key is limited to some bots, and this would be another one.")
    owner = _owner(actor, new.customer_id)
    added = onboarding.add_bot(actor, owner, new.token.get_secret_value(), new.kind)
    shown = _added(actor, added.id, added.steps)
    response.headers["Location"] = f"/api/v1/bots/bot_{added.id}"
    return tagged(response, shown.version, shown)


@router.get("/{bot}")
@needs(Role.VIEWER, Scope.BOTS_READ)
def show_bot(actor: SignedIn, bot: BotId, response: Response) -> BotSeen:
    """One bot: its status with the reason, since when, and how it is served. Its health has a path of its own."""
    return bot_again(actor, bot, response)


@router.patch("/{bot}")
@needs(Role.MANAGER, Scope.BOTS_WRITE)
def change_bot(actor: SignedIn, bot: BotId, change: BotChange, expected: Expected, response: Response) -> BotSeen:
    """Choose how a bot is served. Each change is a version of its configuration."""
    bot_for(actor, bot, needs=Role.MANAGER)
    given = change.model_dump(include=change.model_fields_set)
    wanted = {name: UNSET if value is None else value for name, value in given.items()}
    if wanted:
        configure(str(bot), wanted, version=expected)
    return bot_again(actor, bot, response)


@router.delete("/{bot}", status_code=202)
@needs(Role.MANAGER, Scope.BOTS_WRITE)
def remove_bot(actor: SignedIn, bot: BotId, expected: Expected, response: Response) -> BotSeen:
    """Remove a bot with everything that is kept of it; a worker does it, and then the bot is not found any more."""
    bot_for(actor, bot, needs=Role.MANAGER)
    statuses.remove(bot, expected)
    return bot_again(actor, bot, response)


@router.put("/{bot}/token")
@needs(Role.MANAGER, Scope.BOTS_WRITE)
def replace_token(
    actor: SignedIn, bot: BotId, given: TokenGiven, expected: Expected, response: Response
) -> BotAdded:  # fmt: skip
    """Give a bot another token: a new one of its own, or that of another Telegram bot, which takes its place."""
    bot_for(actor, bot, needs=Role.MANAGER)
    replaced = onboarding.replace_bot_token(bot, given.token.get_secret_value(), expected)
    shown = _added(actor, bot, replaced.steps)
    response.headers["ETag"] = etag(shown.version)
    return shown


def _owner(actor: Actor, customer_id: int | None) -> int:
    if customer_id is None:
        if actor.superadmin or len(actor.customers) != 1:
            raise InputError("customerId", "is not said, and it is not clear whose the bot is to be.", "Give it.")
        (customer_id,) = actor.customers
    return customer_for(actor, customer_id, needs=Role.MANAGER).id
