"""Texts with ``{{variables}}``: what stands for whoever reads them. See docs/schedules.md.

A variable is ``{{name}}`` or ``{{name|fallback}}``. What may be missing needs a fallback, so no message has a hole.
"""

import html
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from botyard.errors import InputError

_VARIABLE: Final = re.compile(r"\{\{([^{}|]*)(?:\|([^{}]*))?\}\}")
_ATTRIBUTE: Final = "attributes."
_ALWAYS: Final = frozenset({"id"})
NAMES: Final = ("id", "first_name", "last_name", "username", "language")
"""Beside these, ``attributes.NAME`` is what the bot's owner noted of somebody."""
_LONGEST: Final = 256
"""Characters of a value: nobody's name makes a text too long for Telegram."""
_MARKDOWN: Final = re.compile(r"([_*`\[])")
_MARKDOWN_2: Final = re.compile(r"([_*\[\]()~`>#+\-=|{}.!\\])")

_ESCAPES: Final[dict[str | None, Callable[[str], str]]] = {
    None: lambda value: value,
    "HTML": html.escape,
    "Markdown": lambda value: _MARKDOWN.sub(r"\\\1", value),
    "MarkdownV2": lambda value: _MARKDOWN_2.sub(r"\\\1", value),
}
PARSE_MODES: Final = frozenset(_ESCAPES)
"""How Telegram may be told to read a text: not at all, or by one of its names for markup."""


@dataclass(frozen=True, slots=True)
class Reader:
    """For whom a text is.

    Args:
        id: Telegram's number of them.
        first_name: as Telegram calls them.
        last_name: none: they have not said one.
        username: the same, without ``@``.
        language: what they read, as ``pt-br``.
        attributes: what the bot's owner noted of them.
    """

    id: int
    first_name: str
    last_name: str | None
    username: str | None
    language: str | None
    attributes: Mapping[str, Any]

    def value(self, name: str) -> str:
        """What stands for a variable; empty: it is not known."""
        if name.startswith(_ATTRIBUTE):
            found = self.attributes.get(name.removeprefix(_ATTRIBUTE))
            return "" if found is None or isinstance(found, (dict, list)) else str(found)
        return str(getattr(self, name) or "")


def check_text(text: str, field: str) -> None:
    """Go on only if a text can be read out to everybody.

    Raises:
        InputError: a variable is unknown, or may be missing and has no fallback.
    """
    for name, fallback in _VARIABLE.findall(text):
        known = name in NAMES or (name.startswith(_ATTRIBUTE) and name != _ATTRIBUTE)
        if not known:
            remedy = f"Use one of {', '.join(NAMES)} or attributes.NAME."
            raise InputError(field, f"there is no variable {{{{{name}}}}}.", remedy)
        if not fallback and name not in _ALWAYS:
            raise InputError(field, f"{{{{{name}}}}} may be missing.", f"Say what stands there then: {{{{{name}|…}}}}.")
    rest = _VARIABLE.sub("", text)
    if "{{" in rest or "}}" in rest:
        raise InputError(field, "has a {{ or }} that belongs to no variable.", "Write {{name|fallback}}.")


def rendered(text: str, reader: Reader, parse_mode: str | None) -> str:
    """The text for somebody; values are written so that nothing in them is markup."""
    escape = _ESCAPES[parse_mode]

    def stands(found: re.Match[str]) -> str:
        value = reader.value(found.group(1))[:_LONGEST].replace("\0", "")
        # A fallback is the author's, markup and all.
        return escape(value) if value.strip() else found.group(2) or ""

    return _VARIABLE.sub(stands, text)


def in_language(texts: Mapping[str, str], language: str | None, default: str) -> str:
    """The text in somebody's language, in the one of which theirs is a kind, or in the default one."""
    wanted = (language or "").lower()
    for one in (wanted, wanted.partition("-")[0]):
        if one in texts:
            return texts[one]
    return texts[default]
