"""``/api/v1/operations``: work that takes longer than an answer may, how far it is, and what came of it."""

from typing import Annotated, Any, Final, Literal, Self

from fastapi import APIRouter, Query, Response
from pydantic import ConfigDict, Field, JsonValue

from botyard.accounts.access import Actor
from botyard.accounts.operations import cancel_operation, operation_for, operations_of
from botyard.accounts.roles import Role
from botyard.accounts.scopes import Scope
from botyard.operations.beginning import without_private
from botyard.operations.reading import Filter
from botyard.web.api.ids import (
    BotId,
    CustomerId,
    OperationId,
    ShownBotId,
    ShownCustomerId,
    ShownOperationId,
)
from botyard.web.api.pages import Page, PageAsked
from botyard.web.api.rights import SignedIn, needs
from botyard.web.api.routes import Route
from botyard.web.api.shapes import Shown, Time
from botyard.web.api.versions import tagged
from db.models import Operation

router = APIRouter(prefix="/operations", route_class=Route, tags=["operations"])

State = Literal["queued", "running", "done", "failed", "cancelled"]
_EXAMPLE: Final[dict[str, JsonValue]] = {
    "id": "op_15", "kind": "bot.export", "state": "running", "customerId": "cus_12", "botId": "bot_31",
    "by": "person:4", "done": 2000, "total": 6100, "result": None, "error": None, "cancelling": False,
    "createdAt": "2026-11-22T02:00:00.000Z", "startedAt": "2026-11-22T02:00:01.000Z", "finishedAt": None,
}  # fmt: skip


class OperationShown(Shown):
    """Work that takes longer than an answer may."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: ShownOperationId
    kind: str = Field(description="What is done, such as `bot.export`.")
    state: State
    customer_id: ShownCustomerId | None
    bot_id: ShownBotId | None
    by: str = Field(description="Who wants it.")
    done: int = Field(description="How much of it is done, in units of its kind.")
    total: int | None = Field(description="How much there is to do, once that is known.")
    result: dict[str, Any] | None = Field(description="What came of it; while it runs, what is to be told so far.")
    error: str | None = Field(description="Why it failed, in a sentence.")
    cancelling: bool = Field(description="It ends at its next step.")
    created_at: Time
    started_at: Time | None
    finished_at: Time | None

    @classmethod
    def of(cls, row: Operation) -> Self:
        """Of its row."""
        return cls.model_validate({
            "id": row.id, "kind": row.kind, "state": row.state, "customer_id": row.customer_id, "bot_id": row.bot_id,
            "by": row.actor, "done": row.done, "total": row.total,
            "result": None if row.result is None else without_private(row.result), "error": row.error,
            "cancelling": row.cancel_asked_at is not None and row.finished_at is None,
            "created_at": row.created_at, "started_at": row.started_at, "finished_at": row.finished_at,
        })  # fmt: skip


def begun(actor: Actor, operation: int) -> OperationShown:
    """An operation that a request has begun, for its answer: also when that is repeated (`creates`)."""
    return OperationShown.of(operation_for(actor, operation))


@router.get("")
@needs(Role.VIEWER, Scope.BOTS_READ)
def list_operations(
    actor: SignedIn,
    asked: PageAsked,
    *,
    customer: Annotated[CustomerId | None, Query(description="Of this customer only.")] = None,
    bot: Annotated[BotId | None, Query(description="Of this bot only.")] = None,
    kind: Annotated[str | None, Query(max_length=64, pattern="^[^\\x00]*$", description="Of this kind only.")] = None,
    state: Annotated[State | None, Query(description="In this state only.")] = None,
) -> Page[OperationShown]:
    """Operations, the latest first; each is kept for thirty days after its end."""
    after = asked.after(int)
    chosen = Filter(customer, bot, None, kind, state, after[0] if after else None)
    found = operations_of(actor, chosen, asked.limit + 1)
    shown = found[: asked.limit]
    following = [shown[-1].id] if len(found) > len(shown) else None
    return Page.of(asked, [OperationShown.of(one) for one in shown], following)


@router.get("/{operation}")
@needs(Role.VIEWER, Scope.BOTS_READ)
def show_operation(actor: SignedIn, operation: OperationId, response: Response) -> OperationShown:
    """One operation: how far it is, and what came of it."""
    found = operation_for(actor, operation)
    return tagged(response, found.version, OperationShown.of(found))


@router.post("/{operation}/cancel")
@needs(Role.OPERATOR, Scope.BOTS_WRITE)
def end_operation(actor: SignedIn, operation: OperationId, response: Response) -> OperationShown:
    """End an operation: at once if it waits, at its next step if it runs. What it has done stays done.

    One that is over stays as it is. Somebody else's operation needs a manager.
    """
    found = cancel_operation(actor, operation, None)
    return tagged(response, found.version, OperationShown.of(found))
