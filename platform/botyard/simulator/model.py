"""What the simulated Telegram consists of: plain data, without behaviour beyond reading itself.

Whatever is a field here is kept over restarts; see :mod:`botyard.simulator.snapshot`.
"""

from dataclasses import dataclass, field
from typing import Any

import orjson

Json = dict[str, Any]

OFF_BY_DEFAULT = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
"""Kinds of update that a bot gets only when it asks for them (setWebhook, ``allowed_updates``)."""
DEFAULT_CONNECTIONS = 40
"""``max_connections`` of setWebhook when it is not given."""


@dataclass(slots=True)
class Webhook:
    """Where a bot receives updates, and how it went (setWebhook, getWebhookInfo)."""

    url: str
    secret_token: str = ""
    max_connections: int = DEFAULT_CONNECTIONS
    last_error_date: int = 0
    last_error_message: str = ""


@dataclass(slots=True)
class Update:
    """One update on its way to a bot.

    ``lane`` names the queue in which it waits, ``expires`` is the end of its shelf life in epoch
    seconds, ``body`` is the finished JSON: an update shows the world as it was when it was made.
    """

    update_id: int
    kind: str
    chat_id: int
    lane: str
    expires: float
    body: bytes
    attempts: int = 0

    def fragment(self) -> orjson.Fragment:
        """Return the finished JSON for use inside other JSON."""
        return orjson.Fragment(self.body)


@dataclass(slots=True)
class StarPayment:
    """A transaction in Telegram Stars; a refund is one with a negative amount."""

    id: str
    date: int
    amount: int
    person_id: int
    payload: str = ""
    subscription_period: int = 0


@dataclass(slots=True)
class Game:
    """A game of a bot, which Telegram knows from BotFather."""

    short_name: str
    title: str
    description: str
    scores: dict[str, dict[int, int]] = field(default_factory=dict)
    """By place and player. A place is a chat, or a single message that was sent through inline mode."""

    def show(self) -> Json:
        """Return the game as Telegram's ``Game``. Its picture has no bytes."""
        photo = {"file_unique_id": f"game-{self.short_name}", "width": 640, "height": 360}
        return {"title": self.title, "description": self.description, "photo": [photo]}

    def keyboard(self) -> Json:
        """Return the keyboard that a message with the game has when it brings none."""
        return {"inline_keyboard": [[{"text": f"Play {self.title}", "callback_game": {}}]]}


@dataclass(slots=True)
class Invoice:
    """An invoice, in a message or behind a link.

    ``shown`` is Telegram's ``Invoice``; ``terms`` are the other parameters of sendInvoice, by their names.
    """

    id: str
    bot_id: int
    payload: str
    shown: Json
    terms: Json
    paid_by: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Bot:
    """A bot: its identity, its commands, its inbox."""

    id: int
    token: str
    username: str
    name: str
    next_update_id: int
    webhook: Webhook | None = None
    allowed_updates: list[str] | None = None
    commands: dict[str, list[Json]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    """Names and descriptions by what they are and their language: ``"description:de"``."""
    menu_buttons: dict[int, Json] = field(default_factory=dict)
    """By private chat; 0 is the default."""
    default_rights: dict[str, dict[str, bool]] = field(default_factory=dict)
    """Suggested rights of the bot as an administrator, of ``groups`` and ``channels``."""
    inline: bool = True
    """Whether people may call it from other chats (BotFather's inline mode)."""
    sees_all: bool = True
    """Whether it gets everything that is said in groups (BotFather's privacy mode is off)."""
    logged_out_until: float = 0.0
    """Until when it has left the server (logOut), in epoch seconds."""
    inline_feedback: bool = True
    """Whether it is told which inline results people choose (BotFather's inline feedback)."""
    games: dict[str, Game] = field(default_factory=dict)
    """Its games by short name."""
    star_payments: list[StarPayment] = field(default_factory=list)
    """Its transactions in Telegram Stars, oldest first."""
    photos: list[list[Json]] = field(default_factory=list)
    """Its profile photos, newest first."""
    pending: dict[int, Update] = field(default_factory=dict)

    def card(self) -> Json:
        """Return the bot as a Telegram ``User``."""
        return {"id": self.id, "is_bot": True, "first_name": self.name, "username": self.username}

    def wants(self, kind: str) -> bool:
        """Tell whether ``allowed_updates`` lets an update of this kind through."""
        if self.allowed_updates:
            return kind in self.allowed_updates
        return kind not in OFF_BY_DEFAULT


@dataclass(slots=True)
class Person:
    """A human user."""

    id: int
    first_name: str
    last_name: str = ""
    username: str = ""
    language_code: str = ""
    deactivated: bool = False
    photos: list[list[Json]] = field(default_factory=list)
    """Their profile photos, newest first."""

    def card(self) -> Json:
        """Return the person as a Telegram ``User``."""
        if self.deactivated:
            return {"id": self.id, "is_bot": False, "first_name": ""}
        card: Json = {"id": self.id, "is_bot": False, "first_name": self.first_name}
        if self.last_name:
            card["last_name"] = self.last_name
        if self.username:
            card["username"] = self.username
        if self.language_code:
            card["language_code"] = self.language_code
        return card


@dataclass(slots=True)
class Member:
    """Somebody's place in a chat (``ChatMember``).

    ``rights`` are the ``can_…`` flags of an administrator, or what a restricted member is left with.
    """

    status: str = "member"
    rights: dict[str, bool] = field(default_factory=dict)
    title: str = ""
    until: int = 0
    """End of a restriction or ban in epoch seconds; 0 is never."""
    inside: bool = True
    """Whether a restricted one is in the chat."""
    promoted_by: int = 0
    """Who made them an administrator."""

    @property
    def present(self) -> bool:
        """Whether they are in the chat now."""
        return self.status in {"creator", "administrator", "member"} or (self.status == "restricted" and self.inside)

    @property
    def leads(self) -> bool:
        """Whether they are an administrator or the creator."""
        return self.status in {"creator", "administrator"}


@dataclass(slots=True)
class InviteLink:
    """An invite link of a group or channel (``ChatInviteLink``)."""

    link: str
    creator_id: int
    name: str = ""
    expires: int = 0
    member_limit: int = 0
    asks: bool = False
    """Whether who comes by it must be approved."""
    primary: bool = False
    revoked: bool = False
    joined: int = 0


@dataclass(slots=True)
class JoinRequest:
    """Somebody waits to be let in."""

    person_id: int
    date: int
    link: str = ""


@dataclass(slots=True)
class File:
    """A file that Telegram keeps. Its bytes lie in the :class:`~botyard.simulator.files.Vault`.

    ``kind`` is its field in a ``Message``, such as ``photo``, and ``shown`` what a message has there, in a
    list for a photo with its sizes. Every bot knows a file by an id of its own, which is added when it is shown.
    """

    unique_id: str
    kind: str
    size: int
    path: str
    shown: list[Json] = field(default_factory=list)
    bytes_of: str = ""
    """Whose bytes it has: the smaller sizes of a photo have those of the largest."""
    links: dict[int, float] = field(default_factory=dict)
    """Until when a bot may download it, in epoch seconds."""


@dataclass(slots=True)
class Poll:
    """A poll, wherever it is shown. ``shown`` is Telegram's ``Poll`` without its counts."""

    id: str
    bot_id: int
    shown: Json
    answers: dict[int, list[int]] = field(default_factory=dict)
    """Chosen options by voter."""
    closes: float = 0.0
    """When it closes by itself, in epoch seconds; 0 is never."""
    places: list[tuple[int, int]] = field(default_factory=list)
    """The chats that show it: the bot of a private one, or 0, and the chat."""


@dataclass(slots=True)
class Message:
    """One message. ``content`` holds what it shows (``text``, ``entities`` …) in Telegram's names."""

    message_id: int
    sender_id: int
    date: int
    content: Json
    reply_to: int | None = None
    reply_markup: Json | None = None
    edit_date: int | None = None
    by_chat: bool = False
    """Whether the chat itself speaks, as in a channel: then there is no ``from``."""
    poll_id: str = ""
    invoice_id: str = ""
    game: str = ""
    """Short name of the game it offers."""
    inline_id: str = ""
    """Its ``inline_message_id``."""
    reactions: dict[int, list[Json]] = field(default_factory=dict)
    """By who reacted."""

    @property
    def author_id(self) -> int:
        """Who is behind it: the bot that offered it to a person, or else who sent it."""
        via: Json | None = self.content.get("via_bot")
        return int(via["id"]) if via else self.sender_id

    @property
    def inline_keyboard(self) -> Json | None:
        """The inline keyboard: the only markup that Telegram shows in a ``Message``."""
        markup = self.reply_markup
        return markup if markup and "inline_keyboard" in markup else None


@dataclass(slots=True)
class Query:
    """Something asked of a bot that waits for an ``answer…`` method.

    ``kind`` is ``callback``, ``inline``, ``web_app``, ``shipping`` or ``pre_checkout``; ``prepared`` is a message that
    waits to be sent by a person. ``data`` is what its answer needs, and the answer.
    """

    id: str
    bot_id: int
    chat_id: int
    person_id: int
    date: float
    kind: str = "callback"
    data: Json = field(default_factory=dict)


@dataclass(slots=True)
class Chat:
    """A chat. A private one belongs to one bot (``bot_id``), a group or channel to all its members."""

    id: int
    type: str
    bot_id: int = 0
    title: str = ""
    username: str = ""
    description: str = ""
    members: dict[int, Member] = field(default_factory=dict)
    permissions: dict[str, bool] = field(default_factory=dict)
    """What members may do (``ChatPermissions``); a flag that is missing is allowed."""
    photo: Json | None = None
    links: dict[str, InviteLink] = field(default_factory=dict)
    requests: dict[int, JoinRequest] = field(default_factory=dict)
    pinned: list[int] = field(default_factory=list)
    migrated_to: int = 0
    migrated_from: int = 0
    blocked: bool = False
    version: int = 0
    last_message_id: int = 0
    messages: dict[int, Message] = field(default_factory=dict)
    action: str = ""
    action_ends: float = 0.0
    answers: list[Json] = field(default_factory=list)

    def has(self, user_id: int) -> bool:
        """Tell whether a person or bot is in the chat."""
        member = self.members.get(user_id)
        return member is not None and member.present

    def present(self) -> list[int]:
        """Return who is in the chat."""
        return [user_id for user_id, member in self.members.items() if member.present]
