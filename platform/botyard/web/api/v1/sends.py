"""``/api/v1/bots/{bot}/messages`` and ``…/sends``: what people send through a bot, and what became of it."""

from collections.abc import Iterator
from typing import Any, Final, Literal, Self

from fastapi import APIRouter, Response
from pydantic import ConfigDict, Field

from botyard.accounts.access import Actor, NotFound, bot_for, tenant_session
from botyard.accounts.roles import Role
from botyard.accounts.scopes import Scope
from botyard.errors import InputError
from botyard.media.store import store_of
from botyard.messages import sending
from botyard.messages.sending import Sent, State
from botyard.messages.uploads import Upload, referred
from botyard.messages.waking import closed, wake
from botyard.messages.wanted import KINDS, Attachment, Button, ParseMode, SentLane, Wanted, call_of
from botyard.settings import get_settings
from botyard.vault.keys import keyring
from botyard.web.api.ids import BotId, SendId, ShownBotId, ShownSendId, ShownTelegramId, TelegramId
from botyard.web.api.rights import SignedIn, creates, needs
from botyard.web.api.routes import Route
from botyard.web.api.shapes import Given, Shown, Time
from botyard.web.api.versions import Expected, tagged

router = APIRouter(prefix="/bots/{bot}", route_class=Route, tags=["messages"])

EntityType = Literal[
    "mention", "hashtag", "cashtag", "bot_command", "url", "email", "phone_number", "bold", "italic", "underline",
    "strikethrough", "spoiler", "blockquote", "expandable_blockquote", "code", "pre", "text_link", "text_mention",
    "custom_emoji",
]  # fmt: skip
_MESSAGE: Final[dict[str, Any]] = {
    "chatId": "7234567890", "text": "Your order <b>31</b> is here.", "parseMode": "HTML",
    "buttons": [[{"text": "Where?", "data": "where:31"}, {"text": "Shop", "url": "https://shop.example.org"}]],
}  # fmt: skip
_SEND: Final[dict[str, Any]] = {
    "id": "snd_640", "botId": "bot_31", "chatId": "7234567890", "lane": "scheduled", "method": "sendMessage",
    "state": "sent", "reason": None, "messageIds": ["88"], "attempts": 1, "createdAt": "2026-01-15T10:30:00.000Z",
    "deadline": "2026-01-16T10:30:00.000Z", "resolvedAt": "2026-01-15T10:30:00.120Z",
}  # fmt: skip


class FileGiven(Given):
    """A file: exactly one of these says where it is."""

    file_id: str | None = Field(None, pattern="^[A-Za-z0-9_-]{10,250}$", description="Telegram's id of it.")
    url: str | None = Field(
        None, pattern=r"^https://[^\s]+$", max_length=2048, description="Telegram fetches it from there."
    )
    file: str | None = Field(None, pattern="^file_[A-Za-z0-9_-]+$", max_length=2000, description="Uploaded before.")


class EntityGiven(Given):
    """A part of the text that is shown otherwise, as the Bot API has it."""

    type: EntityType
    offset: int = Field(ge=0, lt=2**31, description="In UTF-16 code units.")
    length: int = Field(ge=1, lt=2**31)
    url: str | None = Field(None, max_length=2048)
    language: str | None = Field(None, max_length=64)
    custom_emoji_id: str | None = Field(None, max_length=64)
    user_id: TelegramId | None = Field(None, description="Of a `text_mention`.")

    def for_telegram(self) -> dict[str, Any]:
        """With the Bot API's names."""
        made = self.model_dump(exclude_none=True, exclude={"user_id"})
        return made if self.user_id is None else made | {"user": {"id": self.user_id}}


class ButtonGiven(Given):
    """A button under a message: with an address, or with data of which the bot hears."""

    text: str = Field(min_length=1, max_length=256)
    url: str | None = Field(None, max_length=2048)
    data: str | None = Field(None, description="1 to 64 bytes.", max_length=64)


class FilesGiven(Given):
    """At most one file."""

    photo: FileGiven | None = None
    document: FileGiven | None = None
    video: FileGiven | None = None
    audio: FileGiven | None = None
    animation: FileGiven | None = None
    voice: FileGiven | None = None


class MessageGiven(FilesGiven):
    """A message: a text, or one file with perhaps a caption."""

    model_config = ConfigDict(json_schema_extra={"examples": [_MESSAGE]})

    chat_id: str = Field(max_length=64, description="Telegram's number of the chat, or the `@name` of a channel.")
    text: str | None = Field(None, max_length=32_768)
    caption: str | None = Field(None, max_length=8_192)
    parse_mode: ParseMode | None = None
    entities: list[EntityGiven] = Field(default_factory=list, max_length=100)
    buttons: list[list[ButtonGiven]] = Field(default_factory=list, max_length=100)
    disable_notification: bool = False
    lane: SentLane = Field("scheduled", description="What goes before it: `reply` before `scheduled` before `bulk`.")


class SendShown(Shown):
    """A message on its way."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SEND]})

    id: ShownSendId
    bot_id: ShownBotId
    chat_id: str
    lane: str
    method: str
    state: State
    reason: str | None = Field(description="What it waits for, or why it was not sent.")
    message_ids: list[ShownTelegramId]
    attempts: int
    created_at: Time
    deadline: Time | None = Field(description="After that it is not sent any more.")
    resolved_at: Time | None

    @classmethod
    def of(cls, bot_id: int, sent: Sent) -> Self:
        """Of its row."""
        return cls(
            id=sent.id, bot_id=bot_id, chat_id=sent.chat, lane=sent.lane, method=sent.method, state=sent.state,
            reason=sent.reason, message_ids=list(sent.message_ids), attempts=sent.attempts, created_at=sent.created_at,
            deadline=sent.deadline, resolved_at=sent.resolved_at,
        )  # fmt: skip


def _again(actor: Actor, bot: int, send: int) -> SendShown:
    found = bot_for(actor, bot, needs=Role.OPERATOR)
    return SendShown.of(found.id, _sent(found.customer_id, found.id, send))


@router.post("/messages", status_code=202)
@needs(Role.OPERATOR, Scope.MESSAGES_SEND)
@creates(_again, status=202)
def send_message(actor: SignedIn, bot: BotId, message: MessageGiven, response: Response) -> SendShown:
    """Send a message through a bot. It is accepted when this answers; `GET …/sends/{id}` says what became of it.

    409: the bot is switched off. One that is paused sends all the same: only what comes in waits.
    """
    found = bot_for(actor, bot, needs=Role.OPERATOR)
    call = call_of(_wanted(found.id, message))
    with tenant_session(found.customer_id) as session:
        number = sending.put(session, found.id, call)
    wake(get_settings(), found.id)
    response.headers["Location"] = f"/api/v1/bots/bot_{found.id}/sends/snd_{number}"
    return SendShown.of(found.id, _sent(found.customer_id, found.id, number))


@router.get("/sends/{send}")
@needs(Role.VIEWER, Scope.MESSAGES_READ)
def show_send(actor: SignedIn, bot: BotId, send: SendId, response: Response) -> SendShown:
    """What became of a message; it is remembered for three days after its end."""
    found = bot_for(actor, bot, needs=Role.VIEWER)
    sent = _sent(found.customer_id, found.id, send)
    return tagged(response, sent.version, SendShown.of(found.id, sent))


@router.delete("/sends/{send}")
@needs(Role.OPERATOR, Scope.MESSAGES_SEND)
def cancel_send(actor: SignedIn, bot: BotId, send: SendId, expected: Expected, response: Response) -> SendShown:
    """Take a message back that is not sent yet. 409: it is being sent, or was."""
    found = bot_for(actor, bot, needs=Role.OPERATOR)
    with tenant_session(found.customer_id) as session:
        if not sending.cancel(session, found.id, send, expected):
            raise NotFound
    # What waited behind it may go now.
    wake(get_settings(), found.id)
    sent = _sent(found.customer_id, found.id, send)
    return tagged(response, sent.version, SendShown.of(found.id, sent))


def _sent(customer_id: int, bot_id: int, send_id: int) -> Sent:
    shut = closed(get_settings(), bot_id)
    with tenant_session(customer_id) as session:
        sent = sending.show(session, bot_id, send_id, shut)
    if sent is None:
        raise NotFound
    return sent


def _wanted(bot_id: int, message: MessageGiven) -> Wanted:
    files = list(attachments(bot_id, message))
    if len(files) + (message.text is not None) != 1:
        raise InputError("text", "a message has either a text or one file.", "The text beside a file is its caption.")
    if message.caption is not None and not files:
        raise InputError("caption", "belongs to a file.", "Call it text.")
    return Wanted(
        message.chat_id, message.caption if files else message.text, files[0] if files else None, message.parse_mode,
        [entity.for_telegram() for entity in message.entities],
        [[Button(button.text, button.url, button.data) for button in row] for row in message.buttons],
        message.disable_notification, message.lane,
    )  # fmt: skip


def attachments(bot_id: int, message: FilesGiven) -> Iterator[Attachment]:
    """The files of a message.

    Raises:
        InputError: it is not said where one is, or it is not there.
    """
    for kind in KINDS:
        given: FileGiven | None = getattr(message, kind)
        if given is not None:
            yield Attachment(kind, _place_of(bot_id, kind, given))


def _place_of(bot_id: int, kind: str, given: FileGiven) -> str | Upload:
    named = [place for place in (given.file_id, given.url, given.file) if place is not None]
    if len(named) != 1:
        raise InputError(kind, "has not exactly one of fileId, url and file.", "")
    if given.file is None:
        return named[0]
    return referred(store_of(get_settings()), keyring(), bot_id, given.file)
