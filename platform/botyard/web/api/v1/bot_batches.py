"""Many bots at once."""

from typing import Literal

from fastapi import APIRouter
from pydantic import ConfigDict, Field, SecretStr

from botyard.accounts.access import NotFound
from botyard.accounts.batches import MOST, BotLine, adding
from botyard.accounts.reading import own_customer
from botyard.accounts.roles import Role
from botyard.accounts.scopes import Scope
from botyard.operations import begin
from botyard.web.api.ids import CustomerId
from botyard.web.api.rights import SignedIn, creates, needs
from botyard.web.api.routes import Route
from botyard.web.api.shapes import Given
from botyard.web.api.v1.operations import OperationShown, begun

router = APIRouter(prefix="/bots", route_class=Route, tags=["bots"])


class BotOfBatch(Given):
    """A bot to be added."""

    token: SecretStr = Field(max_length=200, description="From BotFather; it is sealed, and never shown.")
    kind: str | None = Field(None, max_length=200, description="Its code; a demo bot if it is left away.")
    queue: Literal["updates", "slow"] | None = Field(None, description="The pool for its updates; slow if left away.")
    label: str | None = Field(None, max_length=200, description="What the report calls it.")


class Batch(Given):
    """Bots to be added."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"customerId": "cus_12", "bots": [{"token": "7234567890:AAH…", "kind": "demo"}]}]
        }
    )

    customer_id: CustomerId | None = Field(None, description="Who is to own them; for who acts for several.")
    bots: list[BotOfBatch] = Field(min_length=1, max_length=MOST)


@router.post("/batch", status_code=202)
@needs(Role.MANAGER, Scope.BOTS_WRITE)
@creates(begun, status=202)
def add_bots(actor: SignedIn, batch: Batch) -> OperationShown:
    """Begin to add up to 200 bots, one after the other, as fast as Telegram takes new ones: about 17 a minute.

    What is wrong with one does not stop the others; those that are here already stay as they are. The operation's
    result tells of each bot. An API key that is limited to some bots cannot do this.
    """
    owner = own_customer(actor, batch.customer_id, needs=Role.MANAGER)
    if actor.bots is not None:
        raise NotFound
    lines = [BotLine(one.token.get_secret_value(), one.kind, one.queue, one.label) for one in batch.bots]
    return begun(actor, begin(adding(owner.id, lines)))
