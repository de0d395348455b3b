"""One call of a Bot API method, and the registry of methods."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from botyard.simulator.errors import bad_request, forbidden, migrated
from botyard.simulator.flood import Flood
from botyard.simulator.model import Bot, Chat
from botyard.simulator.params import INTEGER, Params
from botyard.simulator.standing import leads, may, place
from botyard.simulator.world import World


@dataclass(slots=True)
class Call:
    """A call by a bot."""

    world: World
    flood: Flood
    bot: Bot
    params: Params

    def chat(self, name: str = "chat_id", *, read: bool = False) -> Chat:
        """Return the chat named by a parameter.

        Args:
            name: the parameter.
            read: allow a group that has become a supergroup, for calls that only look at it.

        Raises:
            ApiError: the bot does not know it, is no longer in it, or it has moved to a supergroup.
        """
        value = self.params.values.get(name)
        if value is None or value == "":
            raise bad_request(f"{name} is empty")
        chat_id = self._chat_id(value)
        chat = self.world.chat(self.bot.id, chat_id)
        if chat is None:
            if self._met(chat_id):
                raise forbidden("bot can't initiate conversation with a user")
            raise bad_request("chat not found")
        if chat.migrated_to and not read:
            raise migrated(chat.migrated_to)
        self._check_place(chat, read=read)
        return chat

    def writable_chat(self, right: str = "can_send_messages", what: str = "text messages") -> Chat:
        """Return the chat named by ``chat_id``, if the bot may write there.

        Args:
            right: what members of a group need for it, a flag of ``ChatPermissions``.
            what: the same in Telegram's words.

        Raises:
            ApiError: as :meth:`chat`; the person has blocked the bot or is gone; the bot may not write there.
        """
        chat = self.chat()
        if chat.bot_id:
            if self.world.people[chat.id].deactivated:
                raise forbidden("user is deactivated")
            if chat.blocked:
                raise forbidden("bot was blocked by the user")
        elif chat.type == "channel":
            if not may(chat, self.bot.id, "can_post_messages"):
                raise bad_request("need administrator rights in the channel chat")
        elif not may(chat, self.bot.id, right):
            raise bad_request(f"not enough rights to send {what} to the chat")
        return chat

    def count(self, chat: Chat, messages: int = 1) -> None:
        """Count messages that the bot is about to send.

        Args:
            chat: where to.
            messages: how many.

        Raises:
            ApiError: 429, when it sends too much.
        """
        paid = self.params.flag("allow_paid_broadcast")
        self.flood.count(self.bot.id, chat, messages=messages, paid=paid)

    def require(self, chat: Chat, right: str, words: str = "not enough rights") -> None:
        """Refuse what needs a right that the bot does not have in a group or channel.

        In a basic group a bot must be an administrator even for what members may do there.

        Args:
            chat: where.
            right: the flag of ``ChatMemberAdministrator``, such as ``can_pin_messages``.
            words: Telegram's words for it.
        """
        allowed = leads(chat, self.bot.id, right) if chat.type == "group" else may(chat, self.bot.id, right)
        if not allowed:
            raise bad_request(words)

    def require_lead(self, chat: Chat, right: str, words: str) -> None:
        """Refuse what only administrators with a right may do, even where members have it too.

        Args:
            chat: where.
            right: the flag of ``ChatMemberAdministrator``, such as ``can_invite_users``.
            words: Telegram's words for it.
        """
        if not leads(chat, self.bot.id, right):
            raise bad_request(words)

    def user_id(self) -> int:
        """Return the parameter ``user_id``, which may be of somebody unknown.

        Raises:
            ApiError: it cannot be anybody's.
        """
        user_id = self.params.integer("user_id")
        if user_id <= 0:
            raise bad_request("invalid user_id specified")
        return user_id

    def _chat_id(self, value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, str) and INTEGER.fullmatch(value):
            return int(value)
        if isinstance(value, str) and value.startswith("@"):
            wanted = value[1:].lower()
            for chat in self.world.groups.values():
                if chat.username.lower() == wanted:
                    return chat.id
        raise bad_request("chat not found")

    def _check_place(self, chat: Chat, *, read: bool) -> None:
        """Refuse a group or channel that the bot is not in, in the words for its kind."""
        if chat.bot_id:
            return
        if self.bot.id not in chat.members and not chat.username:
            # Whoever was never inside learns nothing, not even that the chat is there.
            raise bad_request("chat not found")
        member = place(chat, self.bot.id, self.world.now())
        if member.present or (read and chat.type == "group"):
            return
        if member.status == "kicked":
            raise forbidden(f"bot was kicked from the {chat.type} chat")
        if not (read and chat.username):
            raise forbidden(f"bot is not a member of the {chat.type} chat")

    def _met(self, person_id: int) -> bool:
        """Tell whether the bot knows a person from a group only."""
        return person_id in self.world.people and any(
            chat.has(self.bot.id) and chat.has(person_id) for chat in self.world.groups.values()
        )


class Described:
    """A result with a ``description`` beside it in the answer.

    Args:
        result: the value of ``result``.
        description: Telegram's words.
    """

    __slots__ = ("description", "result")

    def __init__(self, result: bool, description: str) -> None:
        self.result = result
        self.description = description


Method = Callable[[Call], Any]

REGISTRY: dict[str, Method] = {}
"""Methods by their name in lower case."""


Function = TypeVar("Function", bound=Method)


def method(name: str) -> Callable[[Function], Function]:
    """Register a function as the method of this name."""

    def register(function: Function) -> Function:
        REGISTRY[name.lower()] = function
        return function

    return register
