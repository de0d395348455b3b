"""The state of the simulated Telegram: bots, people, chats, messages and what waits for delivery.

Everything here is plain data and synchronous. Whoever must act when it changes (couriers, pollers, the
chat page) is told through the :class:`Listener`.
"""

import random
import time
from collections.abc import Callable
from typing import Protocol

from botyard.simulator.clock import Clock, Timers
from botyard.simulator.entities import name_mentions
from botyard.simulator.files import Vault, signed
from botyard.simulator.model import Bot, Chat, File, Invoice, Json, Member, Message, Person, Poll, Query, Update
from botyard.simulator.polls import show_poll
from botyard.simulator.settings import Settings

MESSAGE_LIFE = 24 * 3600
"""Seconds for which a message waits for delivery (Bot API, getUpdates)."""
CALLBACK_LIFE = 150
"""Seconds for which a button press waits for delivery, and for which it can be answered."""
GROUP_ANONYMOUS_BOT: Json = {"id": 1087968824, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}
"""Who stands in ``from`` where a group speaks for itself."""
FIRST_PERSON_ID = 5_000_000_000
FIRST_GROUP_ID = -4_000_000_000


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
        self.clock = Clock(clock)
        self.timers = Timers(self.clock)
        self.now = self.clock.now
        self.random = random.Random()  # noqa: S311 - plays chance in tests, guards nothing
        # A seed makes chance repeat itself. Ids must not: what has one twice shows the other.
        self.ids = random.SystemRandom()
        self.bots: dict[int, Bot] = {}
        self.tokens: dict[str, Bot] = {}
        self.people: dict[int, Person] = {}
        self.chats: dict[tuple[int, int], Chat] = {}
        self.groups: dict[int, Chat] = {}
        self.queries: dict[str, Query] = {}
        self.sweep_queries_at = 0.0
        self.files: dict[str, File] = {}
        self.vault = Vault()
        self.polls: dict[str, Poll] = {}
        self.invoices: dict[str, Invoice] = {}
        self.inline_messages: dict[str, tuple[int, int, int]] = {}
        """Bot, chat and message by ``inline_message_id``."""
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
        chat = Chat(self.next_group_id, "group", title=title, members={member: Member() for member in members})
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
            chat = Chat(person_id, "private", bot_id=bot_id, members={person_id: Member(), bot_id: Member()})
            self.chats[bot_id, person_id] = chat
        return chat

    def bots_in(self, chat: Chat) -> list[Bot]:
        """Return the bots that see what people write in a chat."""
        if chat.bot_id:
            return [self.bots[chat.bot_id]]
        if len(self.bots) < len(chat.members):
            return [bot for bot in self.bots.values() if chat.has(bot.id)]
        return [self.bots[member] for member in chat.present() if member in self.bots]

    def settings_of(self, bot_id: int) -> Settings:
        """Return the settings that hold for a bot."""
        return self.bot_settings.get(bot_id, self.settings)

    def knows(self, user_id: int) -> bool:
        """Tell whether there is such a person or bot."""
        return user_id in self.people or user_id in self.bots

    def card(self, user_id: int) -> Json:
        """Return a person or a bot as a Telegram ``User``."""
        user = self.people.get(user_id) or self.bots[user_id]
        return user.card()

    def chat_card(self, chat: Chat) -> Json:
        """Return a Telegram ``Chat``."""
        if chat.type != "private":
            shown: Json = {"id": chat.id, "title": chat.title, "type": chat.type}
            if chat.username:
                shown["username"] = chat.username
            return shown
        card = self.people[chat.id].card()
        del card["is_bot"]
        card.pop("language_code", None)
        card["type"] = "private"
        return card

    def name_mentions(self, content: Json) -> None:
        """Complete the mentions of people in a message's content; those of nobody become plain text."""
        name_mentions(content, lambda user_id: self.card(user_id) if self.knows(user_id) else None)

    def add_message(self, chat: Chat, sender_id: int, content: Json, reply_to: int | None = None) -> Message:
        """Append a message to a chat; its id is the next of this chat."""
        chat.last_message_id += 1
        if "entities" in content or "caption_entities" in content:
            self.name_mentions(content)
        message = Message(chat.last_message_id, sender_id, int(self.now()), content, reply_to)
        message.by_chat = chat.type == "channel"
        chat.messages[message.message_id] = message
        return message

    def show(self, chat: Chat, message: Message, *, nested: bool = False, viewer: int = 0) -> Json:
        """Return a Telegram ``Message``.

        Args:
            chat: where the message stands.
            message: the message.
            nested: leave out ``reply_to_message``, as Telegram does inside a reply.
            viewer: the bot that sees it, by whose ids it will know the files. Needed in a group or channel alone.
        """
        card = self.chat_card(chat)
        shown: Json = {"message_id": message.message_id, "chat": card, "date": message.date}
        if message.by_chat:
            shown["sender_chat"] = card
            if chat.type != "channel":
                shown["from"] = GROUP_ANONYMOUS_BOT
        else:
            shown["from"] = self.card(message.sender_id)
        if message.edit_date:
            shown["edit_date"] = message.edit_date
        if message.reply_to and not nested:
            original = chat.messages.get(message.reply_to)
            if original:
                shown["reply_to_message"] = self.show(chat, original, nested=True, viewer=viewer)
        content = message.content
        if "text" not in content or "external_reply" in content:
            content = signed(content, viewer or chat.bot_id)
        shown.update(content)
        if message.poll_id:
            shown["poll"] = show_poll(self.polls[message.poll_id], viewer or chat.bot_id)
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
