"""``/api/v1/audit``: who changed what, from what to what."""

from typing import Annotated, Any, Final, Literal, Self

from fastapi import APIRouter, Query
from pydantic import Field

from botyard.accounts.access import bot_for, customer_for
from botyard.accounts.auditing import EntriesWanted, Entry, entries_for
from botyard.accounts.roles import Role
from botyard.accounts.scopes import Scope
from botyard.web.api.ids import BotId, CustomerId, ShownAuditId, ShownBotId, ShownCustomerId
from botyard.web.api.pages import Page, PageAsked
from botyard.web.api.rights import SignedIn, needs
from botyard.web.api.routes import Route
from botyard.web.api.shapes import GivenTime, Shown, Time
from db.engine import storable

router = APIRouter(prefix="/audit", route_class=Route, tags=["audit"])

Action = Literal["created", "updated", "deleted"]
_NOT_SHOWN: Final = frozenset({"public_id", "sealed", "digest", "secret_hash", "previous_secret_hash", "key_id"})
"""Columns that mean something to the installation only."""


class EntryShown(Shown):
    """One change. Secrets stand there as `***`."""

    id: ShownAuditId
    at: Time
    customer_id: ShownCustomerId | None = Field(description="Null: it belongs to the installation.")
    bot_id: ShownBotId | None
    actor: str = Field(description="`person:4`, `cli:anna`, or `botyard` itself.")
    action: Action
    entity: str = Field(description="Its table and key, as `bots:12`.")
    before: dict[str, Any] | None = Field(description="By the names of columns; of a change only what differs.")
    after: dict[str, Any] | None

    @classmethod
    def of(cls, entry: Entry) -> Self:
        """The same for the wire."""
        values = {name: getattr(entry, name) for name in cls.model_fields}
        shown = {name: _columns(values[name]) for name in ("before", "after")}
        return cls.model_validate(values | shown)


@router.get("")
@needs(Role.MANAGER, Scope.ACCOUNT_READ)
def list_entries(
    actor: SignedIn,
    asked: PageAsked,
    *,
    customer: Annotated[CustomerId | None, Query(description="Of this customer only.")] = None,
    bot: Annotated[BotId | None, Query(description="Of this bot only; of one that is gone for superadmins.")] = None,
    by: Annotated[str | None, Query(alias="actor", max_length=200, description="By them, as `person:4`.")] = None,
    entity: Annotated[str | None, Query(max_length=200, description="`bots:12`, or a whole table: `bots`.")] = None,
    action: Annotated[Action | None, Query()] = None,
    since: Annotated[GivenTime | None, Query(description="Not before then; without a zone it is UTC.")] = None,
    until: Annotated[GivenTime | None, Query(description="Before then.")] = None,
) -> Page[EntryShown]:
    """Who changed what, the latest first: for the customers whose manager you are; everything for a superadmin."""
    if customer is not None:
        customer_for(actor, customer, needs=Role.MANAGER)
    if bot is not None and not actor.superadmin:
        bot_for(actor, bot, needs=Role.MANAGER)
    wanted = EntriesWanted(customer, bot, _plain(by), _plain(entity), action, since, until, actor.bots)
    after = asked.after(int)
    found = entries_for(actor, wanted, asked.limit + 1, after[0] if after else None)
    shown = found[: asked.limit]
    following = [shown[-1].id] if len(found) > len(shown) else None
    return Page.of(asked, [EntryShown.of(entry) for entry in shown], following)


def _columns(values: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if values is None else {name: value for name, value in values.items() if name not in _NOT_SHOWN}


def _plain(text: str | None) -> str | None:
    return None if text is None else storable(text)
