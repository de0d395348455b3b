"""``/api/v1/bots/{bot}/configuration``, ``…/configurations``, ``…/schema``, ``…/secrets``: what may be set for a bot.

Settings of a bot's kind are checked by its code. That is loaded by workers only, so a change of these goes through one;
everything else is checked and changed here.
"""

from typing import Any, Final, Self

from fastapi import APIRouter, Response
from pydantic import ConfigDict, Field, JsonValue, SecretStr
from pydantic.alias_generators import to_camel
from starlette.concurrency import run_in_threadpool

from botyard.accounts.access import NotFound, bot_for
from botyard.accounts.roles import Role
from botyard.accounts.scopes import Scope
from botyard.bots import errands
from botyard.bots.configuration import configuring, service_secrets
from botyard.bots.configuration.configuring import ConfigurationConflict, Configured, KindNeeded, Version
from botyard.bots.configuration.model import BotConfig
from botyard.bots.configuration.service_secrets import SecretLine
from botyard.errors import InputError, Stale
from botyard.web.api.ids import BotId
from botyard.web.api.pages import Page, PageAsked
from botyard.web.api.rights import SignedIn, needs
from botyard.web.api.routes import Route
from botyard.web.api.shapes import Given, Shown, Time
from botyard.web.api.v1.asking import ask
from botyard.web.api.v1.bot_actions import LATER
from botyard.web.api.v1.operations import OperationShown
from botyard.web.api.versions import Expected, tagged
from db.engine import storable
from db.models import Bot

router = APIRouter(prefix="/bots/{bot}", route_class=Route, tags=["configurations"])

Tree = dict[str, JsonValue]
_EXAMPLE: Final[dict[str, JsonValue]] = {
    "number": 4, "kind": "demo", "configuration": {
        "answerCallbacks": True, "repeatUncertain": True, "sends": "outbox", "retry": True, "forgetAfter": 0,
        "queue": "auto", "share": None, "adminChatId": "700000001", "features": {"loud": True},
        "settings": {"greeting": "Good day."},
    },
}  # fmt: skip


class ConfigurationShown(Shown):
    """How a bot is configured: all of it, with what has its default."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    number: int = Field(description="Of this version; as in `ETag`. 0: it was never configured.")
    kind: str = Field(description="Whose settings it has.")
    configuration: Tree

    @classmethod
    def of(cls, found: Configured) -> Self:
        """The same for the wire."""
        values = found.configuration.model_dump(mode="json")
        return cls(number=found.number, kind=found.kind, configuration=_wire(values))


class ConfigurationGiven(Given):
    """A configuration as a whole, or a merge patch of one, and why."""

    configuration: Tree = Field(max_length=len(BotConfig.model_fields))
    note: str | None = Field(None, max_length=500, description="For those who read its history.")


class RestoreGiven(Given):
    """Why an earlier configuration is gone back to."""

    note: str | None = Field(None, max_length=500)


class VersionShown(Shown):
    """A configuration that a bot has had."""

    number: int
    at: Time
    by: str
    note: str | None
    configuration: Tree = Field(description="What was chosen, without what had its default.")

    @classmethod
    def of(cls, version: Version) -> Self:
        """The same for the wire."""
        return cls(
            number=version.number, at=version.at, by=version.actor, note=version.note,
            configuration=_wire(version.configuration),
        )  # fmt: skip


class SchemaShown(Shown):
    """Which settings the kind of a bot takes."""

    kind: str
    takes: list[str] = Field(description="Which of `settings`, `features` and `secrets` it is given.")
    settings: dict[str, Any] = Field(description="Their JSON schema.")


class SecretGiven(Given):
    """A secret for a bot's code."""

    secret: SecretStr = Field(max_length=65_536)


class SecretSeen(Shown):
    """That there is a secret; what it is is shown to nobody."""

    name: str
    changed_at: Time

    @classmethod
    def of(cls, line: SecretLine) -> Self:
        """The same for the wire."""
        return cls(name=line.name, changed_at=line.changed_at)


@router.get("/configuration")
@needs(Role.VIEWER, Scope.BOTS_READ)
def show_configuration(actor: SignedIn, bot: BotId, response: Response) -> ConfigurationShown:
    """How a bot is configured."""
    bot_for(actor, bot, needs=Role.VIEWER)
    found = configuring.configuration_of(str(bot))
    return tagged(response, found.number, ConfigurationShown.of(found))


@router.put("/configuration", responses=LATER)
@needs(Role.MANAGER, Scope.BOTS_WRITE)
async def replace_configuration(
    actor: SignedIn, bot: BotId, given: ConfigurationGiven, expected: Expected, response: Response
) -> ConfigurationShown | OperationShown:
    """Configure a bot as a whole; what is not named is as it is by default."""
    wanted = {"configuration": _stored(given.configuration), "expected": expected, "note": _plain(given.note)}
    return await _configured(actor, bot, wanted, response)


@router.patch("/configuration", responses=LATER)
@needs(Role.MANAGER, Scope.BOTS_WRITE)
async def change_configuration(
    actor: SignedIn, bot: BotId, given: ConfigurationGiven, expected: Expected, response: Response
) -> ConfigurationShown | OperationShown:
    """Change a bot's configuration by a JSON merge patch (RFC 7396): null stands for the default."""
    wanted = {"patch": _stored(given.configuration), "expected": expected, "note": _plain(given.note)}
    return await _configured(actor, bot, wanted, response)


@router.get("/configurations")
@needs(Role.VIEWER, Scope.BOTS_READ)
def list_configurations(actor: SignedIn, bot: BotId, asked: PageAsked) -> Page[VersionShown]:
    """The configurations that a bot has had, the newest first."""
    bot_for(actor, bot, needs=Role.VIEWER)
    after = asked.after(int)
    found = configuring.history(str(bot), asked.limit + 1, after[0] if after else None)
    shown = found[: asked.limit]
    following = [shown[-1].number] if len(found) > len(shown) else None
    return Page.of(asked, [VersionShown.of(version) for version in shown], following)


@router.post("/configurations/{number}/restore", responses=LATER)
@needs(Role.MANAGER, Scope.BOTS_WRITE)
async def restore_configuration(
    actor: SignedIn, bot: BotId, number: int, response: Response, given: RestoreGiven | None = None
) -> ConfigurationShown | OperationShown:
    """Configure a bot as it was: a new version that is equal to an earlier one; number 0 is everything by default."""
    if not 0 <= number < 2**63:
        raise NotFound
    return await _configured(actor, bot, {"number": number, "note": _plain(given.note) if given else None}, response)


@router.get("/schema", responses=LATER)
@needs(Role.VIEWER, Scope.BOTS_READ)
async def show_schema(actor: SignedIn, bot: BotId, response: Response) -> SchemaShown | OperationShown:
    """Which settings a bot's kind takes: their types, defaults and limits. Its code says so, in a worker."""
    found = await run_in_threadpool(bot_for, actor, bot, needs=Role.VIEWER)
    told = await ask(actor, found, errands.SCHEMA, response)
    return told if isinstance(told, OperationShown) else SchemaShown.model_validate(told)


@router.get("/secrets")
@needs(Role.MANAGER, Scope.BOTS_READ)
def list_secrets(actor: SignedIn, bot: BotId) -> Page[SecretSeen]:
    """The names of the secrets that a bot's code is given; all of them at once."""
    bot_for(actor, bot, needs=Role.MANAGER)
    return Page(items=[SecretSeen.of(line) for line in service_secrets.list_secrets(str(bot))], next=None)


@router.get("/secrets/{name}")
@needs(Role.MANAGER, Scope.BOTS_READ)
def show_secret(actor: SignedIn, bot: BotId, name: str) -> SecretSeen:
    """Whether there is such a secret, and since when; not the secret itself."""
    bot_for(actor, bot, needs=Role.MANAGER)
    return _secret(bot, name)


@router.put("/secrets/{name}")
@needs(Role.MANAGER, Scope.BOTS_WRITE)
def set_secret(actor: SignedIn, bot: BotId, name: str, given: SecretGiven) -> SecretSeen:
    """Keep a secret for a bot's code, in the place of the one of this name; the bot is built anew everywhere.

    Nobody can have read it before, so no version of it is asked for.
    """
    bot_for(actor, bot, needs=Role.MANAGER)
    return SecretSeen.of(service_secrets.set_secret(str(bot), name, given.secret.get_secret_value()))


@router.delete("/secrets/{name}", status_code=204)
@needs(Role.MANAGER, Scope.BOTS_WRITE)
def remove_secret(actor: SignedIn, bot: BotId, name: str) -> None:
    """Forget a secret of a bot."""
    bot_for(actor, bot, needs=Role.MANAGER)
    _secret(bot, name)
    service_secrets.remove_secret(str(bot), name)


def _secret(bot: int, name: str) -> SecretSeen:
    found = next((line for line in service_secrets.list_secrets(str(bot)) if line.name == name), None)
    if found is None:
        raise NotFound
    return SecretSeen.of(found)


async def _configured(
    actor: SignedIn, bot: int, wanted: dict[str, Any], response: Response
) -> ConfigurationShown | OperationShown:
    found = await run_in_threadpool(bot_for, actor, bot, needs=Role.MANAGER)
    try:
        done = await run_in_threadpool(_configure, found, wanted)
    except KindNeeded:
        try:
            told = await ask(actor, found, errands.CONFIGURE, response, wanted)
        except InputError as error:
            raise _placed(error) from None
        if isinstance(told, OperationShown):
            return told
        done = await run_in_threadpool(configuring.configuration_of, str(bot))
    return tagged(response, done.number, ConfigurationShown.of(done))


def _configure(bot: Bot, wanted: dict[str, Any]) -> Configured:
    name, terms = str(bot.id), {"expected": wanted.get("expected"), "note": wanted.get("note")}
    try:
        if "number" in wanted:
            return configuring.roll_back(name, wanted["number"], **terms)
        if "patch" in wanted:
            return configuring.merge(name, wanted["patch"], **terms)
        return configuring.replace(name, wanted["configuration"], **terms)
    except ConfigurationConflict as error:
        if error.field != "expected":
            raise
        raise Stale(configuring.configuration_of(name).number) from None
    except KindNeeded:
        raise
    except InputError as error:
        if error.field == "number":
            raise NotFound from None
        raise _placed(error) from None


def _plain(note: str | None) -> str | None:
    return None if note is None else storable(note)


def _placed(error: InputError) -> InputError:
    """The same error, with the place in the request to which it belongs."""
    top, dot, rest = error.field.partition(".")
    if top not in BotConfig.model_fields:
        return error
    return InputError(f"configuration.{to_camel(top)}{dot}{rest}", error.problem, error.remedy)


def _wire(values: dict[str, Any]) -> Tree:
    """By the names of the wire; what the bot's own code names keeps its names."""
    found = {to_camel(name): value for name, value in values.items()}
    chat = found.get("adminChatId")
    return found if chat is None else {**found, "adminChatId": str(chat)}


def _stored(values: Tree) -> dict[str, Any]:
    known = {to_camel(name): name for name in BotConfig.model_fields}
    if (unknown := next((name for name in values if name not in known), None)) is not None:
        raise InputError(f"configuration.{unknown}", "is not known here.", f"There are {', '.join(known)}.")
    return {known[name]: value for name, value in values.items()}
