"""``/api/v1/bots/{bot}/…``: letting a bot wait or go on, looking after its connection, and asking why it is silent."""

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Body, Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from botyard.accounts.access import Actor, bot_for
from botyard.accounts.roles import Role
from botyard.accounts.scopes import Scope
from botyard.bots import errands, statuses
from botyard.bots.connection.steps import Step
from botyard.bots.statuses import Status
from botyard.errors import InputError
from botyard.web.api.ids import BotId
from botyard.web.api.rights import SignedIn, needs
from botyard.web.api.routes import Route
from botyard.web.api.shapes import Given, Shown, Time
from botyard.web.api.v1.asking import ask
from botyard.web.api.v1.bots import BotSeen, StepShown, bot_again
from botyard.web.api.v1.operations import OperationShown
from db.engine import storable

router = APIRouter(prefix="/bots/{bot}", route_class=Route, tags=["bots"])


class Reason(Given):
    """Why something is done."""

    reason: str | None = Field(None, max_length=200, description="For those who look at the bot.")


class FindingShown(Shown):
    """One sentence about one thing that a bot's answers depend on."""

    check: str
    state: Literal["ok", "warning", "trouble"]
    says: str
    remedy: str = Field(description="What to do; empty when there is nothing to do.")


class Why(Shown):
    """Why a bot is silent: everything between a person's message and its answer, in that order."""

    findings: list[FindingShown]


class Steps(Shown):
    """How something went."""

    steps: list[StepShown]


class Rotated(Shown):
    """A webhook has another secret."""

    earlier_secret_until: Time = Field(description="So long the one before is taken, too.")


Because = Annotated[Reason | None, Body()]
LATER: Final[dict[int | str, dict[str, Any]]] = {
    202: {"description": "It takes longer: an operation says how it went."}
}


@router.post("/pause")
@needs(Role.OPERATOR, Scope.BOTS_WRITE)
def pause_bot(actor: SignedIn, bot: BotId, response: Response, given: Because = None) -> BotSeen:
    """Let a bot's updates wait here until it is resumed; nothing of them is lost."""
    return _turn(actor, bot, "paused", given, response)


@router.post("/maintain")
@needs(Role.OPERATOR, Scope.BOTS_WRITE)
def maintain_bot(actor: SignedIn, bot: BotId, response: Response, given: Because = None) -> BotSeen:
    """Let a bot say that it is being worked on, once in a chat and hour; what people write meanwhile is dropped."""
    return _turn(actor, bot, "maintenance", given, response)


@router.post("/off")
@needs(Role.OPERATOR, Scope.BOTS_WRITE)
def switch_off_bot(actor: SignedIn, bot: BotId, response: Response, given: Because = None) -> BotSeen:
    """Switch a bot off: its webhook is taken away, nothing is fetched or sent; Telegram keeps its updates for a day."""
    return _turn(actor, bot, "inactive", given, response)


@router.post("/resume")
@needs(Role.OPERATOR, Scope.BOTS_WRITE)
def resume_bot(actor: SignedIn, bot: BotId, response: Response, given: Because = None) -> BotSeen:
    """Let a bot go on that is paused, switched off, in maintenance or stopped by an error."""
    return _turn(actor, bot, "active", given, response)


@router.post("/restart")
@needs(Role.OPERATOR, Scope.BOTS_WRITE)
def restart_bot(actor: SignedIn, bot: BotId, response: Response) -> BotSeen:
    """Let every process build a bot anew, as after a change of what its code reads when it is built."""
    bot_for(actor, bot, needs=Role.OPERATOR)
    statuses.restart(bot)
    return bot_again(actor, bot, response)


@router.post("/check", responses=LATER)
@needs(Role.OPERATOR, Scope.BOTS_WRITE)
async def check_bot(actor: SignedIn, bot: BotId, response: Response) -> Steps | OperationShown:
    """Ask Telegram about a bot now and repair its connection, as is done by itself every few minutes."""
    return _steps(await _asked(actor, bot, errands.CHECK, Role.OPERATOR, response))


@router.post("/reclaim", responses=LATER)
@needs(Role.MANAGER, Scope.BOTS_WRITE)
async def reclaim_bot(actor: SignedIn, bot: BotId, response: Response) -> Steps | OperationShown:
    """Take a bot's webhook back from another system now, and forget how often that was needed."""
    return _steps(await _asked(actor, bot, errands.RECLAIM, Role.MANAGER, response))


@router.post("/rotate-secret", responses=LATER)
@needs(Role.MANAGER, Scope.BOTS_WRITE)
async def rotate_bot_secret(actor: SignedIn, bot: BotId, response: Response) -> Rotated | OperationShown:
    """Give a bot's webhook another secret; the one before is taken for an hour more, so that no update is lost."""
    told = await _asked(actor, bot, errands.ROTATE_SECRET, Role.MANAGER, response)
    return told if isinstance(told, OperationShown) else Rotated(earlier_secret_until=told["until"])


@router.get("/why", responses=LATER)
@needs(Role.VIEWER, Scope.BOTS_READ)
async def show_why(actor: SignedIn, bot: BotId, response: Response) -> Why | OperationShown:
    """Why a bot is silent: each thing that its answers depend on, and how to mend it; a worker looks at it now."""
    told = await _asked(actor, bot, errands.WHY, Role.VIEWER, response)
    return told if isinstance(told, OperationShown) else Why.model_validate(told)


def _turn(actor: Actor, bot: int, status: Status, given: Reason | None, response: Response) -> BotSeen:
    found = bot_for(actor, bot, needs=Role.OPERATOR)
    if found.removal_began is not None:
        raise InputError("bot", "is being removed.", "Add it anew if you want it.")
    changed = statuses.set_status(bot, status, storable(given.reason) if given and given.reason else None)
    if changed and "inactive" in (status, found.status):
        # Its webhook is taken away, or set again.
        errands.connect_bot(bot)
    return bot_again(actor, bot, response)


async def _asked(
    actor: Actor, bot: int, kind: str, role: Role, response: Response
) -> dict[str, Any] | OperationShown:  # fmt: skip
    found = await run_in_threadpool(bot_for, actor, bot, needs=role)
    return await ask(actor, found, kind, response)


def _steps(told: dict[str, Any] | OperationShown) -> Steps | OperationShown:
    if isinstance(told, OperationShown):
        return told
    return Steps(steps=[StepShown.of(Step(**step)) for step in told["steps"]])
