"""What may be configured for a bot: one typed model, and how it stands in the bot's row. See docs/configuration.md.

No bot's code is loaded here, so the web process may import it.
"""

import json
from collections.abc import Mapping
from difflib import get_close_matches
from enum import Enum
from typing import Annotated, Any, Final, Literal
from zoneinfo import available_timezones

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, ValidationError, field_validator

from botyard.errors import InputError
from botyard.telegram.kind_shapes import first_trouble
from botyard.telemetry.redaction import redact_tree
from db.models import Bot

_LARGEST_CHAT: Final = 2**52
"""Telegram's ids have at most 52 significant bits."""
_MOST_BYTES: Final = 16_384
_TREES: Final = ("features", "settings")

FeatureName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")]
Stored = dict[str, Any]
"""A configuration as it is kept: what was chosen, without what has its default."""


class Unset(Enum):
    """Stands for "as if it had never been chosen"."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET


class BotConfig(BaseModel):
    """The configuration of a bot."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    answer_callbacks: bool = True
    """Whether presses that its handlers leave unanswered are answered for it."""
    repeat_uncertain: bool = True
    """Whether a send of unknown outcome is made again; else it is left for a person to look at."""
    sends: Literal["outbox", "direct"] = "outbox"
    """``direct``: its handlers wait for the answer to each send; ``outbox``: sends go out after the commit."""
    retry: bool = True
    """Whether an update whose handlers raise is tried again; else errors are what they are in the library."""
    forget_after: int = Field(default=0, ge=0, le=2**31)
    """Seconds after which memory of a chat or a person that did not change is forgotten; 0: never."""
    queue: Literal["updates", "slow", "auto"] = "auto"
    """The pool for its updates, or ``auto``: where its pace puts it."""
    share: int | None = Field(default=None, ge=1, le=1000)
    """How many of its slices may be under way at once; none, or 0: the setting ``SHARE``."""
    time_zone: str = "UTC"
    """The time zone of the bot's schedules, as ``Europe/Berlin``."""
    admin_chat_id: int | None = Field(default=None, ge=-_LARGEST_CHAT, le=_LARGEST_CHAT)
    """The chat that hears of the bot's troubles."""
    features: dict[FeatureName, bool] = Field(default_factory=dict)
    """What is switched on and off; its kind is given them."""
    settings: dict[str, JsonValue] = Field(default_factory=dict)
    """Of its kind, which checks them."""

    @field_validator("share", mode="before")
    @classmethod
    def _zero_is_none(cls, value: Any) -> Any:
        return None if value in (0, "0") else value

    @field_validator("time_zone")
    @classmethod
    def _zone_is_known(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("there is no such time zone: write it as Europe/Berlin, or UTC")
        return value

    @property
    def stored(self) -> Stored:
        """As it is kept."""
        chosen = self.model_dump(mode="json", exclude_unset=True)
        if chosen.get("queue") == "auto":
            del chosen["queue"]
        return {key: value for key, value in chosen.items() if value not in (None, {})}


def stored_of(bot: Bot) -> Stored:
    """What is chosen for a bot, as its row has it now; bookkeeping that stands beside it is left out."""
    found = {key: value for key, value in (bot.settings or {}).items() if key in BotConfig.model_fields}
    return found if bot.share is None else {**found, "share": bot.share}


def keep(bot: Bot, configuration: BotConfig) -> None:
    """Write a configuration into a bot's row, beside the bookkeeping."""
    beside = {key: value for key, value in (bot.settings or {}).items() if key not in BotConfig.model_fields}
    stored = configuration.stored
    bot.share = stored.pop("share", None)
    bot.queue = stored.get("queue", bot.queue)
    bot.settings = beside | stored


def checked(stored: Mapping[str, Any]) -> BotConfig:
    """A configuration of what is kept, or of what somebody wants to be kept.

    Raises:
        InputError: something in it is wrong; which, and what is possible.
    """
    try:
        return BotConfig.model_validate(stored)
    except ValidationError as error:
        name, problem = first_trouble(error)
        raise InputError(name, problem, _remedy(name)) from None


def _remedy(name: str) -> str:
    known = list(BotConfig.model_fields)
    top = name.partition(".")[0]
    if top in known:
        return f"`botyard bot configure BOT {name}=` leaves it as it is by default."
    near = get_close_matches(top, known, n=1)
    return f"Did you mean {near[0]}?" if near else f"There are {', '.join(known)}."


def check_keepable(configuration: BotConfig) -> None:
    """Go on only with what PostgreSQL's JSON can keep, and what may be read by everybody who sees the bot.

    Raises:
        InputError: something is neither; which.
    """
    for top in _TREES:
        for name, value in flat({top: getattr(configuration, top)}).items():
            try:
                text = json.dumps([name, value], allow_nan=False, ensure_ascii=False)
                text.encode()
            except (ValueError, RecursionError):
                raise InputError(name, "cannot be kept: it is no JSON.", "Infinity is none, for example.") from None
            if "\\u0000" in text.replace("\\\\", ""):
                raise InputError(name, "has a NUL in it, which cannot be kept.", "Leave it away.")
            if redact_tree(value) != value:
                remedy = "Keep it with `botyard bot secret set BOT NAME`: settings are shown, and never forgotten."
                raise InputError(name, "holds what looks like a token or a password.", remedy)
    size = len(json.dumps(configuration.stored).encode())
    if size > _MOST_BYTES:
        problem = f"are {size} bytes, and may be {_MOST_BYTES}."
        raise InputError("settings", problem, "Keep what is larger where the bot's code can fetch it.")


def changed(stored: Stored, changes: Mapping[str, Any]) -> Stored:
    """A configuration with some things changed; the one that is given stays as it is.

    Args:
        stored: as it is kept.
        changes: by their names, the parts of which are joined by dots; `UNSET` leaves one as it is by default.

    Raises:
        InputError: a name leads into what has no parts.
    """
    found: Stored = json.loads(json.dumps(stored))
    for name, value in changes.items():
        parts = name.split(".")
        if not all(parts):
            raise InputError(name, "is no name.", "Write it as settings.greeting, for example.")
        _change(found, parts, value)
    return found


def _change(tree: Stored, parts: list[str], value: Any) -> None:
    first, *others = parts
    if not others:
        if value is UNSET:
            tree.pop(first, None)
        else:
            tree[first] = value
        return
    below = tree.setdefault(first, {})
    if not isinstance(below, dict):
        raise InputError(first, f"has no part {others[0]}.", "It is one value.")
    _change(below, others, value)
    if not below:
        del tree[first]


def merged(stored: Stored, patch: Mapping[str, Any]) -> Stored:
    """A configuration with a JSON merge patch applied; the one that is given stays as it is.

    Source: https://www.rfc-editor.org/rfc/rfc7396
    """
    found = dict(stored)
    for name, value in patch.items():
        if value is None:
            found.pop(name, None)
        elif isinstance(value, Mapping):
            below = found.get(name)
            found[name] = merged(below if isinstance(below, dict) else {}, value)
        else:
            found[name] = value
    return found


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What differs between two configurations as they are kept: by name, what it was and what it is.

    None stands for what was not chosen.
    """
    was, now = flat(before), flat(after)
    return {
        name: (was.get(name), now.get(name)) for name in sorted({*was, *now}) if was.get(name) != now.get(name)
    }  # fmt: skip


def flat(tree: Mapping[str, Any], root: str = "") -> Stored:
    """Every value that has no parts, by its name with dots."""
    found: Stored = {}
    for key, value in tree.items():
        name = f"{root}.{key}" if root else key
        if isinstance(value, Mapping) and value:
            found |= flat(value, name)
        elif not (isinstance(value, Mapping) and not root):
            found[name] = value
    return found


def value_of(name: str, text: str) -> Any:
    """What somebody means who writes this text for something that no kind checks.

    Args:
        name: of what is changed; `features` and `settings` as a whole are JSON.
        text: as it was written.

    Raises:
        InputError: it is to be JSON, and is none.
    """
    if name not in _TREES:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise InputError(name, "is no JSON.", f"""Write {name}='{{"name": …}}', or {name}.NAME=VALUE.""") from None
