"""``/api/v1/bots/{bot}/chats``: what was said, and what is still to be said."""

from typing import Annotated, Any, Final, Literal, Self

from fastapi import APIRouter, Path
from pydantic import ConfigDict, Field

from botyard.accounts.access import bot_for, tenant_session
from botyard.accounts.roles import Role
from botyard.accounts.scopes import Scope
from botyard.messages import history
from botyard.messages.history import NEWEST, Said, Talk
from botyard.web.api.ids import BotId, ShownSendId, ShownTelegramId
from botyard.web.api.pages import Page, PageAsked
from botyard.web.api.rights import SignedIn, needs
from botyard.web.api.routes import Route
from botyard.web.api.shapes import Shown, Time

router = APIRouter(prefix="/bots/{bot}/chats", route_class=Route, tags=["messages"])

ChatKey = Annotated[
    str, Path(pattern="^[A-Za-z0-9_@:-]{1,160}$", description="Telegram's number of the chat, or the `@name` of one.")
]
_SAID: Final[dict[str, Any]] = {
    "direction": "out", "kind": "sendMessage", "messageId": "88", "sendId": "snd_640", "text": "Your order is here.",
    "state": "sent", "reason": None, "at": "2026-01-15T10:30:00.000Z",
}  # fmt: skip


class MessageShown(Shown):
    """One message of a chat."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SAID]})

    direction: Literal["in", "out"]
    kind: str = Field(description="Of what came in the update's kind; of what goes out the Bot API's method.")
    message_id: ShownTelegramId | None
    send_id: ShownSendId | None = Field(description="Of what goes out.")
    text: str | None = Field(description="The text, or the caption.")
    state: str | None = Field(description="Of what goes out: `sent`, or what became of it.")
    reason: str | None
    at: Time

    @classmethod
    def of(cls, said: Said) -> Self:
        """Of its row."""
        return cls(
            direction=said.direction, kind=said.kind, message_id=said.message_id, send_id=said.send_id, text=said.text,
            state=said.state, reason=said.reason, at=said.at,
        )  # fmt: skip


class ChatShown(Shown):
    """A chat, and its latest message."""

    chat_id: str
    last_text: str | None
    last_direction: Literal["in", "out"]
    last_at: Time
    unreachable_since: Time | None = Field(description="Since when the bot cannot write there.")

    @classmethod
    def of(cls, talk: Talk) -> Self:
        """Of its rows."""
        return cls(
            chat_id=talk.chat, last_text=talk.text, last_direction=talk.direction, last_at=talk.at,
            unreachable_since=talk.unreachable_since,
        )  # fmt: skip


@router.get("")
@needs(Role.VIEWER, Scope.MESSAGES_READ)
def list_chats(actor: SignedIn, bot: BotId, asked: PageAsked) -> Page[ChatShown]:
    """A bot's chats, those with the latest message first."""
    found = bot_for(actor, bot, needs=Role.VIEWER)
    after = asked.after(int)
    with tenant_session(found.customer_id) as session:
        talks = history.chats(session, found.id, after[0] if after else NEWEST, asked.limit + 1)
    shown = talks[: asked.limit]
    following = (shown[-1].id,) if len(talks) > len(shown) else None
    return Page.of(asked, [ChatShown.of(one) for one in shown], following)


@router.get("/{chat}/messages")
@needs(Role.VIEWER, Scope.MESSAGES_READ)
def list_messages(actor: SignedIn, bot: BotId, chat: ChatKey, asked: PageAsked) -> Page[MessageShown]:
    """What was said in a chat, the latest first: by both sides, and with what waits to be sent or never was."""
    found = bot_for(actor, bot, needs=Role.VIEWER)
    after = asked.after(int, int)
    before = (NEWEST, NEWEST) if after is None else (after[0], after[1])
    with tenant_session(found.customer_id) as session:
        said, following = history.history(session, found.id, chat, before, asked.limit)
    return Page.of(asked, [MessageShown.of(one) for one in said], following)
