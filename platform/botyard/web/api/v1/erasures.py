"""One person of a customer's bots: what is known of them, and forgetting it."""

import tempfile
from typing import Final

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from pydantic import ConfigDict

from botyard.accounts.access import Actor, NotFound, bot_for, customer_for, in_scope
from botyard.accounts.roles import Role
from botyard.accounts.scopes import Scope
from botyard.erasure.wanting import erasing
from botyard.exporting.person import bot_numbers, write_person
from botyard.operations import begin
from botyard.web.api.ids import BotId, CustomerId, TelegramId
from botyard.web.api.rights import SignedIn, creates, needs
from botyard.web.api.routes import Route
from botyard.web.api.shapes import Given
from botyard.web.api.v1.exports import pieces
from botyard.web.api.v1.operations import OperationShown, begun

router = APIRouter(route_class=Route, tags=["people"])

_IN_MEMORY: Final = 4 << 20


class ErasureWanted(Given):
    """Who is to be forgotten."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"userId": "7234567890"}]})

    user_id: TelegramId


@router.post("/bots/{bot}/users/{user}/erasure", status_code=202)
@needs(Role.MANAGER, Scope.USERS_WRITE)
@creates(begun, status=202)
def erase_user(actor: SignedIn, bot: BotId, user: TelegramId) -> OperationShown:
    """Begin to forget a person for one bot: rows, memory, messages, and what waits. It cannot be taken back.

    What others wrote stays, without them. If they write again, the bot knows nothing of them.
    """
    found = bot_for(actor, bot, needs=Role.MANAGER)
    return begun(actor, begin(erasing(found.customer_id, found.id, user)))


@router.post("/customers/{customer}/erasures", status_code=202)
@needs(Role.MANAGER, Scope.USERS_WRITE)
@creates(begun, status=202)
def erase_person(actor: SignedIn, customer: CustomerId, wanted: ErasureWanted) -> OperationShown:
    """Begin to forget a person for every bot of a customer. It cannot be taken back.

    An API key that is limited to some bots cannot do this.
    """
    found = customer_for(actor, customer, needs=Role.MANAGER)
    _for_every_bot(actor)
    return begun(actor, begin(erasing(found.id, None, wanted.user_id)))


@router.get("/bots/{bot}/users/{user}/export", response_class=StreamingResponse)
@needs(Role.MANAGER, Scope.USERS_READ)
def export_user(actor: SignedIn, bot: BotId, user: TelegramId) -> StreamingResponse:
    """What a bot knows of a person, as a JSON document; 404 if that is nothing.

    An API key needs the scopes `users:read` and `messages:read`.
    """
    found = bot_for(actor, bot, needs=Role.MANAGER)
    return _document(actor, found.customer_id, [found.id], user)


@router.get("/customers/{customer}/users/{user}/export", response_class=StreamingResponse)
@needs(Role.MANAGER, Scope.USERS_READ)
def export_person(actor: SignedIn, customer: CustomerId, user: TelegramId) -> StreamingResponse:
    """What every bot of a customer knows of a person, as a JSON document; 404 if that is nothing."""
    found = customer_for(actor, customer, needs=Role.MANAGER)
    _for_every_bot(actor)
    return _document(actor, found.id, bot_numbers(found.id), user)


def _for_every_bot(actor: Actor) -> None:
    if actor.bots is not None:
        raise NotFound


def _document(actor: Actor, customer_id: int, bots: list[int], user: int) -> StreamingResponse:
    in_scope(actor, Scope.MESSAGES_READ)
    # Written before it is sent: whoever reads slowly holds a file, and no transaction.
    file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - who sends it closes it
    if not write_person(customer_id, bots, user, file):
        file.close()
        raise NotFound
    size = file.tell()
    file.seek(0)
    headers = {
        "Content-Disposition": f'attachment; filename="person-{user}.json"', "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store", "Content-Length": str(size),
    }  # fmt: skip
    return StreamingResponse(pieces(file), media_type="application/json", headers=headers)
