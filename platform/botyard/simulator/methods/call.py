"""One call of a Bot API method, and the registry of methods."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from botyard.simulator.errors import bad_request, forbidden
from botyard.simulator.flood import Flood
from botyard.simulator.params import INTEGER, Params
from botyard.simulator.world import Bot, Chat, World


@dataclass(slots=True)
class Call:
    """A call by a bot."""

    world: World
    flood: Flood
    bot: Bot
    params: Params

    def chat(self) -> Chat:
        """Return the chat named by ``chat_id``.

        Raises:
            ApiError: the bot does not know it, or is no longer in it.
        """
        value = self.params.values.get("chat_id")
        if value is None or value == "":
            raise bad_request("chat_id is empty")
        chat_id = self._chat_id(value)
        chat = self.world.chat(self.bot.id, chat_id)
        if chat is None:
            if self._met(chat_id):
                raise forbidden("bot can't initiate conversation with a user")
            raise bad_request("chat not found")
        if self.bot.id not in chat.members:
            raise bad_request("chat not found")
        return chat

    def writable_chat(self) -> Chat:
        """Return the chat named by ``chat_id``, if the bot may write there."""
        chat = self.chat()
        if chat.blocked:
            raise forbidden("bot was blocked by the user")
        return chat

    def _chat_id(self, value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, str) and INTEGER.fullmatch(value):
            return int(value)
        raise bad_request("chat not found")

    def _met(self, person_id: int) -> bool:
        """Tell whether the bot knows a person from a group only."""
        return person_id in self.world.people and any(
            self.bot.id in chat.members and person_id in chat.members for chat in self.world.groups.values()
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
