"""What a schedule sends: a text in several languages, perhaps with a file and buttons. See docs/schedules.md."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from botyard.errors import InputError
from botyard.messages.wanted import Call, Wanted, call_of
from botyard.telegram.run import Lane
from botyard.users.rendering import Reader, check_text, in_language, rendered
from botyard.users.tags import fit_language

Content = dict[str, Any]
"""As it is kept: the ``command`` that people are taken to have sent; or ``texts`` by language, the ``default`` one,
their ``parse_mode``, and the rest of the call: its ``method``, ``params`` without chat and text, and the ``text_param``
that says the text."""

_LANE: Final = Lane.SCHEDULED
_ANYBODY: Final = "1"
_COMMAND: Final = re.compile(r"/[a-z0-9_]{1,32}( [^\x00]{1,200})?", re.ASCII)
_MOST_LANGUAGES: Final = 50
# What stands for values that nobody knows yet, when a text is checked.
_SAMPLE: Final = Reader(1, "", None, None, None, {})


@dataclass(frozen=True, slots=True)
class Texts:
    """What is said.

    Args:
        by_language: as ``{"en": …, "ru": …}``; one text for all: under the default language.
        default: the language of whoever reads none of these.
    """

    by_language: Mapping[str, str]
    default: str


def content_of(texts: Texts, message: Wanted) -> Content:
    """What is sent, checked.

    Args:
        texts: what it says in each language.
        message: all but its text and chat.

    Raises:
        InputError: a text cannot be sent, or not to everybody.
    """
    by_language = {fit_language(language) or "": text for language, text in texts.by_language.items()}
    default = fit_language(texts.default) or ""
    if default not in by_language:
        raise InputError("texts", f"has none in {default!r}, the default language.", "Write it, or name another one.")
    if len(by_language) > _MOST_LANGUAGES:
        raise InputError("texts", f"has more than {_MOST_LANGUAGES} languages.", "Leave some out.")
    calls = []
    for language, text in by_language.items():
        check_text(text, f"texts.{language}")
        said = rendered(text, _SAMPLE, message.parse_mode)
        calls.append(call_of(replace(message, chat=_ANYBODY, text=said, lane="scheduled")))
    call = calls[0]
    text_param = "text" if message.attachment is None else "caption"
    params = {name: value for name, value in call.params.items() if name not in ("chat_id", text_param)}
    return {
        "texts": by_language, "default": default, "parse_mode": message.parse_mode, "method": call.method,
        "params": params, "text_param": text_param,
    }  # fmt: skip


def command_of(text: str) -> Content:
    """A command of the bot's own in the place of a text: its handlers act as if the person had sent it.

    Raises:
        InputError: it is none.
    """
    if not _COMMAND.fullmatch(text):
        raise InputError("command", "is no command.", "Write it as /digest, perhaps with words behind it.")
    return {"command": text}


def call_for(content: Content, reader: Reader) -> Call:
    """The call that sends it to somebody."""
    said = in_language(content["texts"], reader.language, content["default"])
    text = rendered(said, reader, content["parse_mode"])
    params = {**content["params"], "chat_id": reader.id}
    if text:
        params[content["text_param"]] = text
    return Call(content["method"], params, str(reader.id), _LANE)
