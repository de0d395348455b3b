"""One call of a Bot API method, and the registry of methods."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from botyard.simulator.errors import bad_request, forbidden, migrated
from botyard.simulator.flood import Flood
from botyard.simulator.model import Bot, Chat
from botyard.simulator.params import INTEGER, Params
from botyard.simulator.world import World

MEMBERS_RIGHTS = frozenset(
    {
        "can_send_messages",
        "can_send_audios",
        "can_send_documents",
        "can_send_photos",
        "can_send_videos",
        "can_send_video_notes",
        "can_send_voice_notes",
        "can_send_polls",
        "can_send_other_messages",
        "can_add_web_page_previews",
        "can_change_info",
        "can_invite_users",
        "can_pin_messages",
    }
)
"""Rights that members may have as well (``ChatPermissions``)."""


@dataclass(slots=True)
class Call:
    """A call by a bot."""

    world: World
    flood: Flood
    bot: Bot
    params: Params

    def chat(self, name: str = "chat_id") -> Chat:
        """Return the chat named by a parameter.

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
        if chat.migrated_to:
            raise migrated(chat.migrated_to)
        self._check_place(chat)
        return chat

    def writable_chat(self) -> Chat:
        """Return the chat named by ``chat_id``, if the bot may write there.

        Raises:
            ApiError: as :meth:`chat`; the person has blocked the bot or is gone; the bot may not write there.
        """
        chat = self.chat()
        if chat.bot_id:
            if self.world.people[chat.id].deactivated:
                raise forbidden("user is deactivated")
            if chat.blocked:
                raise forbidden("bot was blocked by the user")
        elif not may(chat, self.bot.id, "can_post_messages" if chat.type == "channel" else "can_send_messages"):
            words = "need administrator rights in the channel chat" if chat.type == "channel" else "not enough rights"
            raise bad_request(words if chat.type == "channel" else f"{words} to send text messages to the chat")
        return chat

    def require(self, chat: Chat, right: str) -> None:
        """Refuse what needs a right that the bot does not have in a group or channel.

        Args:
            chat: where.
            right: the flag of ``ChatMemberAdministrator``, such as ``can_pin_messages``.
        """
        if not may(chat, self.bot.id, right):
            raise bad_request("not enough rights")

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

    def _check_place(self, chat: Chat) -> None:
        """Refuse a group or channel that the bot is not in, in the words for its kind."""
        member = chat.members.get(self.bot.id)
        if member is not None and member.present:
            return
        kind = chat.type if chat.type != "private" else "chat"
        if member is None:
            # Whoever was never inside learns nothing, not even that the chat is there.
            raise bad_request("chat not found")
        if member.status == "kicked":
            raise forbidden(f"bot was kicked from the {kind} chat")
        raise forbidden(f"bot is not a member of the {kind} chat")

    def _met(self, person_id: int) -> bool:
        """Tell whether the bot knows a person from a group only."""
        return person_id in self.world.people and any(
            chat.has(self.bot.id) and chat.has(person_id) for chat in self.world.groups.values()
        )


def may(chat: Chat, user_id: int, right: str) -> bool:
    """Tell whether somebody has a right in a chat.

    Args:
        chat: where; in a private chat everything is allowed.
        user_id: a person or a bot.
        right: a flag of ``ChatMemberAdministrator`` or ``ChatPermissions``.
    """
    if chat.bot_id:
        return True
    member = chat.members.get(user_id)
    if member is None or not member.present:
        return False
    if member.status == "creator":
        return True
    if member.status == "administrator":
        return right.startswith("can_send_") or member.rights.get(right, False)
    if chat.type == "channel" or right not in MEMBERS_RIGHTS:
        return False
    if member.status == "restricted" and not member.rights.get(right, False):
        return False
    # In a group without permissions of its own, members may do all but change it.
    return chat.permissions.get(right, right not in {"can_change_info", "can_pin_messages"} or chat.type == "group")


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
