"""What shows that something is about a person, and how it is taken out of what stays."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

_NOBODY: Final = "***"
_SHORTEST_NAME: Final = 4
_KEPT_OF_PROFILE: Final = ("!", "is_bot", "type")
_KEPT_OF_MESSAGE: Final = ("!", "message_id", "date", "chat")
_SENDERS: Final = ("from", "from_user", "user", "sender_chat")
_TAG: Final = "!"
_PAIRED: Final = ("dict", "defaultdict", "OrderedDict", "Counter", "mappingproxy")
_UNORDERED: Final = ("set", "frozenset", "deque")
_ID: Final = re.compile(r"(?:(?:^|_)ids?|I[dD]s?)$")
_ID_OF_NOBODY: Final = re.compile("message|update|thread", re.IGNORECASE)
_CODES: Final = ("callback_data", "method", "parse_mode", "type")
"""What programs go by: a word there is no name."""
_TEXTS: Final = frozenset((
    "text", "messagetext", "caption", "title", "customtitle", "description", "question", "explanation", "bio", "quote",
    "firstname", "lastname", "fullname", "displayname", "username", "sendername", "forwardsendername",
    "authorsignature", "performer", "vcard", "detail", "reason", "error", "answer",
))  # fmt: skip
"""Fields that are written for people, in small letters and without ``_``."""


class Traces:
    """How one person is known: by Telegram's number, by their username, by their full name.

    A first name alone is nothing to go by: others are called so, too.

    Args:
        user_id: Telegram's number of them.
        profiles: what Telegram has said of them, as it says it.
    """

    def __init__(self, user_id: int, profiles: Sequence[Mapping[str, Any]] = ()) -> None:
        self.user_id = user_id
        self.key = str(user_id)
        self.names = frozenset(name for profile in profiles for name in _names(profile))
        usernames = {str(profile.get("username") or "") for profile in profiles} & self.names
        number = rf"(?<!\d){self.key}(?!\d)"
        self._number = re.compile(number)
        self._mentioned = _any([number, *(rf"(?<=(?<!\w)@){re.escape(name)}(?!\w)" for name in sorted(usernames))])
        self._told = _any([number, *(rf"(?<!\w){re.escape(name)}(?!\w)" for name in sorted(self.names))])

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

    def tells(self, text: str) -> bool:
        """Whether a text mentions them."""
        return self._told.search(text) is not None

    def without(self, value: Any, field: str = "text") -> Any:
        """The same without them; what others say and what is not about them stays as it is.

        A word that is their username, and a number that is theirs, may mean something else: names go as ``@username``
        and where people write, numbers where they are somebody's.

        Args:
            value: as JSON is read.
            field: under which name it stands.
        """
        if isinstance(value, str):
            return value if field == _TAG else self._without_mentions(value, field)
        if isinstance(value, Mapping):
            return self._without_them(value, field)
        if not isinstance(value, list):
            return 0 if self._is(value) and _is_of_somebody(field) else value
        if all(_is_number(one) for one in value):
            return [one for one in value if not self._is(one)]
        return [self.without(one, field) for one in value]

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

    def _without_mentions(self, said: str, field: str) -> str:
        if field in _CODES:
            return self._number.sub(self._instead, said)
        is_text = field.replace("_", "").lower() in _TEXTS
        return (self._told if is_text else self._mentioned).sub(self._instead, said)

    def _without_them(self, value: Mapping[str, Any], field: str) -> dict[str, Any]:
        if self._is(value.get("id")) and ("first_name" in value or "is_bot" in value or "username" in value):
            return {name: value[name] for name in _KEPT_OF_PROFILE if name in value} | {"id": 0, "first_name": ""}
        if self._is(value.get("userId")):
            # As the API shows people.
            return {"userId": "0"}
        if self._is(value.get("user_id")) and "phone_number" in value:
            return {"phone_number": "", "first_name": "", "user_id": 0}
        if "message_id" in value and self._sent(value):
            value = {name: value[name] for name in _KEPT_OF_MESSAGE if name in value}
        return {
            name: self._of_tag(value[_TAG], inner, field)
            if name == "of" and _TAG in value
            else self.without(inner, name)
            for name, inner in value.items()
            if name != self.key
        }

    def _of_tag(self, tag: Any, stored: Any, field: str) -> Any:
        """What stands under a tag of `botyard.state.codec`: its form has to stay."""
        if not isinstance(stored, list):
            return self.without(stored, field) if isinstance(stored, Mapping) else stored
        if tag in _PAIRED and all(_is_pair(one) for one in stored):
            # Dictionaries whose keys are no texts are stored as pairs.
            return [
                [key, self.without(inner, key if isinstance(key, str) else field)]
                for key, inner in stored
                if not self._is_keyed(key)
            ]
        return self.without(stored, field) if tag in _UNORDERED else [self.without(one, field) for one in stored]

    def _is_keyed(self, key: Any) -> bool:
        """Whether an entry is under their number, alone or beside a chat's."""
        parts = key.get("of") if isinstance(key, Mapping) else None
        return self._is(key) or (isinstance(parts, list) and any(self._is(part) for part in parts))

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


def _any(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | str) and not isinstance(value, bool) and str(value).removeprefix("-").isdecimal()


def _is_of_somebody(field: str) -> bool:
    return _ID.search(field) is not None and _ID_OF_NOBODY.search(field) is None
