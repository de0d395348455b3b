"""The state of the simulated Telegram: bots, people, chats, messages and what waits for delivery.

Everything here is plain data and synchronous. Whoever must act when it changes (couriers, pollers, the
chat page) is told through the :class:`Listener`.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from botyard.simulator.settings import Settings

Json = dict[str, Any]

MESSAGE_LIFE = 24 * 3600
"""Seconds for which a message waits for delivery (Bot API, getUpdates)."""
CALLBACK_LIFE = 150
"""Seconds for which a button press waits for delivery, and for which it can be answered."""
DEFAULT_CONNECTIONS = 40
"""``max_connections`` of setWebhook when it is not given."""
OFF_BY_DEFAULT = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
"""Kinds of update that a bot gets only when it asks for them (setWebhook, ``allowed_updates``)."""
FIRST_PERSON_ID = 5_000_000_000
FIRST_GROUP_ID = -4_000_000_000


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

    def card(self) -> Json:
        """Return the person as a Telegram ``User``."""
        card: Json = {"id": self.id, "is_bot": False, "first_name": self.first_name}
        if self.last_name:
            card["last_name"] = self.last_name
        if self.username:
            card["username"] = self.username
        if self.language_code:
            card["language_code"] = self.language_code
        return card


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

    @property
    def inline_keyboard(self) -> Json | None:
        """The inline keyboard: the only markup that Telegram shows in a ``Message``."""
        markup = self.reply_markup
        return markup if markup and "inline_keyboard" in markup else None


@dataclass(slots=True)
class Query:
    """A pressed button that waits for answerCallbackQuery."""

    id: str
    bot_id: int
    chat_id: int
    person_id: int
    date: float


@dataclass(slots=True)
class Chat:
    """A chat. A private one belongs to one bot (``bot_id``), a group to all its members."""

    id: int
    type: str
    bot_id: int = 0
    title: str = ""
    members: list[int] = field(default_factory=list)
    blocked: bool = False
    version: int = 0
    last_message_id: int = 0
    messages: dict[int, Message] = field(default_factory=dict)
    action: str = ""
    action_ends: float = 0.0
    answers: list[Json] = field(default_factory=list)


class Listener(Protocol):
    """Who must act when the world changes. Called synchronously, so it must not block."""

    def update_made(self, bot: Bot, update: Update) -> None:
        """Take note of a new update in the bot's inbox."""

    def webhook_changed(self, bot: Bot) -> None:
        """Take note that the bot's webhook was set, changed or deleted, or its inbox emptied."""

    def chat_changed(self, chat: Chat) -> None:
        """Take note that the page of a chat looks different now."""


class World:
    """All state, and the few operations that keep it consistent.

    Args:
        clock: returns the time in epoch seconds; tests and a settable clock replace it.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.now = clock
        self.random = random.Random()  # noqa: S311 - plays chance in tests, guards nothing
        self.bots: dict[int, Bot] = {}
        self.tokens: dict[str, Bot] = {}
        self.people: dict[int, Person] = {}
        self.chats: dict[tuple[int, int], Chat] = {}
        self.groups: dict[int, Chat] = {}
        self.queries: dict[str, Query] = {}
        self.settings = Settings()
        self.bot_settings: dict[int, Settings] = {}
        self.next_person_id = FIRST_PERSON_ID
        self.next_group_id = FIRST_GROUP_ID
        self.revision = 0
        self.listener: Listener | None = None

    def add_bot(self, token: str, username: str, name: str) -> Bot:
        """Create a bot, or rename the one that has this token's id; a new token replaces the old."""
        bot_id = int(token.partition(":")[0])
        bot = self.bots.get(bot_id)
        if bot is None:
            first = self.random.randint(100_000_000, 900_000_000)
            bot = self.bots[bot_id] = Bot(bot_id, token, username, name, next_update_id=first)
        else:
            del self.tokens[bot.token]
            bot.token, bot.username, bot.name = token, username, name
        self.tokens[token] = bot
        self.revision += 1
        return bot

    def add_person(self, person: Person) -> Person:
        """Create a person, or replace the one with this id. An id of 0 takes the next free one."""
        if not person.id:
            while self.next_person_id in self.people:
                self.next_person_id += 1
            person.id = self.next_person_id
        self.people[person.id] = person
        self.revision += 1
        return person

    def add_group(self, title: str, members: list[int]) -> Chat:
        """Create a group of people and bots, given by their ids."""
        chat = Chat(self.next_group_id, "group", title=title, members=members)
        self.next_group_id -= 1
        self.groups[chat.id] = chat
        self.revision += 1
        return chat

    def chat(self, bot_id: int, chat_id: int) -> Chat | None:
        """Return the chat that a bot knows under this id."""
        return self.chats.get((bot_id, chat_id)) if chat_id > 0 else self.groups.get(chat_id)

    def private_chat(self, bot_id: int, person_id: int) -> Chat:
        """Return the private chat of a person with a bot; the first call opens it."""
        chat = self.chats.get((bot_id, person_id))
        if chat is None:
            chat = Chat(person_id, "private", bot_id=bot_id, members=[person_id, bot_id])
            self.chats[bot_id, person_id] = chat
        return chat

    def bots_in(self, chat: Chat) -> list[Bot]:
        """Return the bots that see what people write in a chat."""
        if chat.bot_id:
            return [self.bots[chat.bot_id]]
        return [self.bots[member] for member in chat.members if member in self.bots]

    def settings_of(self, bot_id: int) -> Settings:
        """Return the settings that hold for a bot."""
        return self.bot_settings.get(bot_id, self.settings)

    def card(self, user_id: int) -> Json:
        """Return a person or a bot as a Telegram ``User``."""
        user = self.people.get(user_id) or self.bots[user_id]
        return user.card()

    def chat_card(self, chat: Chat) -> Json:
        """Return a Telegram ``Chat``."""
        if chat.type != "private":
            return {"id": chat.id, "title": chat.title, "type": chat.type}
        card = self.people[chat.id].card()
        del card["is_bot"]
        card.pop("language_code", None)
        card["type"] = "private"
        return card

    def add_message(self, chat: Chat, sender_id: int, content: Json, reply_to: int | None = None) -> Message:
        """Append a message to a chat; its id is the next of this chat."""
        chat.last_message_id += 1
        message = Message(chat.last_message_id, sender_id, int(self.now()), content, reply_to)
        chat.messages[message.message_id] = message
        return message

    def show(self, chat: Chat, message: Message, *, nested: bool = False) -> Json:
        """Return a Telegram ``Message``.

        Args:
            chat: where the message stands.
            message: the message.
            nested: leave out ``reply_to_message``, as Telegram does inside a reply.
        """
        shown: Json = {
            "message_id": message.message_id,
            "from": self.card(message.sender_id),
            "chat": self.chat_card(chat),
            "date": message.date,
        }
        if message.edit_date:
            shown["edit_date"] = message.edit_date
        if message.reply_to and not nested:
            original = chat.messages.get(message.reply_to)
            if original:
                shown["reply_to_message"] = self.show(chat, original, nested=True)
        shown.update(message.content)
        keyboard = message.inline_keyboard
        if keyboard:
            shown["reply_markup"] = keyboard
        return shown

    def touch(self, chat: Chat) -> None:
        """Record that a chat looks different now."""
        chat.version += 1
        self.revision += 1
        if self.listener:
            self.listener.chat_changed(chat)
