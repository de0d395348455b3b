"""What shows that something is about a person, and how it is taken out of what stays."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

_NOBODY: Final = "***"
_SHORTEST_NAME: Final = 4
_KEPT_OF_PROFILE: Final = ("!", "is_bot", "type")
_KEPT_OF_MESSAGE: Final = ("!", "message_id", "date", "chat")
_SENDERS: Final = ("from", "from_user", "user", "sender_chat")


class Traces:
    """How one person is known: by Telegram's number, by their username, by their full name.

    A first name alone is nothing to go by: others are called so, too.

    Args:
        user_id: Telegram's number of them.
        profiles: what Telegram has said of them, as it says it.
    """

    def __init__(self, user_id: int, profiles: Iterable[Mapping[str, Any]] = ()) -> None:
        self.user_id = user_id
        self.key = str(user_id)
        self.names = frozenset(name for profile in profiles for name in _names(profile))
        words = [rf"(?<!\d){self.key}(?!\d)", *(rf"(?<!\w){re.escape(name)}(?!\w)" for name in sorted(self.names))]
        self._told = re.compile("|".join(words), re.IGNORECASE)

    @property
    def terms(self) -> list[str]:
        """One of these is in whatever tells of them, in small letters: as text, and as JSON may write it."""
        return sorted({self.key, *(form.lower() for name in self.names for form in (name, json.dumps(name)[1:-1]))})

    def owns(self, chat_key: str) -> bool:
        """Whether a chat is their private one, with the bot or through somebody's business account."""
        return chat_key == self.key or (chat_key.startswith("b") and chat_key.endswith(f":{self.key}"))

    def made(self, update: Any) -> bool:
        """Whether an update is theirs: they wrote, pressed or chose something."""
        if not isinstance(update, Mapping):
            return False
        return any(isinstance(content, Mapping) and self._sent(content) for content in update.values())

    def without(self, value: Any) -> Any:
        """The same without them; what others say and what is not about them stays as it is."""
        if isinstance(value, str):
            return self._told.sub(self._instead, value)
        if isinstance(value, bool) or value is None:
            return value
        if isinstance(value, int | float):
            return 0 if value == self.user_id else value
        if isinstance(value, Mapping):
            return self._without_them(value)
        return [self.without(one) for one in value if not self._is(one)]

    def without_talks(self, state: Any) -> Any:
        """What a bot remembers without them: their place in conversations of a group goes, too.

        Args:
            state: as `botyard.state.codec` stores it.
        """
        if not isinstance(state, Mapping) or not isinstance(state.get("talks"), Mapping):
            return self.without(state)
        talks = {
            handler: [one for one in states if not any(self._is(part) for part in one[0])]
            for handler, states in state["talks"].items()
        }
        return self.without({**state, "talks": {handler: states for handler, states in talks.items() if states}})

    def _without_them(self, value: Mapping[str, Any]) -> dict[str, Any]:
        if self._is(value.get("id")) and ("first_name" in value or "is_bot" in value or "username" in value):
            return {name: value[name] for name in _KEPT_OF_PROFILE if name in value} | {"id": 0, "first_name": ""}
        if self._is(value.get("userId")):
            # As the API shows people.
            return {"userId": "0"}
        if self._is(value.get("user_id")) and "phone_number" in value:
            return {"phone_number": "", "first_name": "", "user_id": 0}
        if "message_id" in value and self._sent(value):
            value = {name: value[name] for name in _KEPT_OF_MESSAGE if name in value}
        elif "!" in value and isinstance(value.get("of"), list):
            # Dictionaries whose keys are no texts are stored as pairs.
            pairs = [one for one in value["of"] if not (_is_pair(one) and self._is(one[0]))]
            value = {**value, "of": pairs}
        return {self.without(name): self.without(inner) for name, inner in value.items() if name != self.key}

    def _sent(self, content: Mapping[str, Any]) -> bool:
        senders = (content.get(name) for name in _SENDERS)
        return any(isinstance(one, Mapping) and self._is(one.get("id")) for one in senders)

    def _is(self, value: Any) -> bool:
        return isinstance(value, int | str) and not isinstance(value, bool) and value in (self.user_id, self.key)

    def _instead(self, found: re.Match[str]) -> str:
        return "0" if found.group() == self.key else _NOBODY


def _names(profile: Mapping[str, Any]) -> Iterable[str]:
    username, first, last = (str(profile.get(name) or "") for name in ("username", "first_name", "last_name"))
    found = [username, f"{first} {last}" if first and last else ""]
    return [name for name in found if len(name) >= _SHORTEST_NAME]


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == len(("key", "value"))
