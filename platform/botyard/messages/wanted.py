"""A message that somebody wants a bot to send: checked as far as Telegram's rules are known, and made a call of it.

What surely cannot be sent is refused at once; the rest is Telegram's to say, and then a dead letter says it.

Sources: https://core.telegram.org/bots/api#sendmessage, #inlinekeyboardbutton, #messageentity, #formatting-options
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any, Final, Literal, get_args

from botyard.errors import InputError
from botyard.media.attached import FILES
from botyard.messages.uploads import Upload
from botyard.telegram.run import Lane

FileKind = Literal["photo", "document", "video", "audio", "animation", "voice"]
ParseMode = Literal["HTML", "MarkdownV2", "Markdown"]
SentLane = Literal["reply", "scheduled", "bulk"]

_TEXT_UNITS: Final = 4096
_CAPTION_UNITS: Final = 1024
_MOST_BUTTONS: Final = 100
_DATA_BYTES: Final = 64
_LARGEST_CHAT: Final = 2**52
_CHAT_NUMBER: Final = re.compile(r"-?[1-9][0-9]{0,15}", re.ASCII)
_CHAT_NAME: Final = re.compile(r"@[A-Za-z][A-Za-z0-9_]{3,31}", re.ASCII)
_BUTTON_URL: Final = re.compile(r"(https?|tg)://\S+")
_MARKDOWN_LINK: Final = re.compile(r"\]\([^)]*\)")
_MARKDOWN_SIGNS: Final = str.maketrans("", "", "*_~|`[]()>\\")


@dataclass(frozen=True, slots=True)
class Button:
    """A button under a message: one that opens an address, or one that the bot hears of."""

    text: str
    url: str | None = None
    data: str | None = None


@dataclass(frozen=True, slots=True)
class Attachment:
    """The file of a message.

    Args:
        kind: what it is sent as.
        given: Telegram's id of it, an address that Telegram fetches it from, or what was uploaded here before.
    """

    kind: FileKind
    given: str | Upload


@dataclass(frozen=True, slots=True)
class Wanted:
    """A message to be sent.

    Args:
        chat: Telegram's number of the chat, or the ``@name`` of a channel or a public group.
        text: what it says; the caption, if there is a file.
        attachment: its file.
        parse_mode: how its text is marked up.
        entities: the same as the Bot API has it, counted in UTF-16 code units.
        buttons: rows of buttons under it.
        silent: whether it makes no sound.
        lane: what goes before it, and what behind it.
    """

    chat: str
    text: str | None = None
    attachment: Attachment | None = None
    parse_mode: ParseMode | None = None
    entities: Sequence[Mapping[str, Any]] = ()
    buttons: Sequence[Sequence[Button]] = ()
    silent: bool = False
    lane: SentLane = "scheduled"


@dataclass(frozen=True, slots=True)
class Call:
    """The call that sends it, as a row of the outbox has it."""

    method: str
    params: dict[str, Any]
    chat_key: str
    lane: Lane


def call_of(wanted: Wanted) -> Call:
    """The call for a message.

    Raises:
        InputError: Telegram would refuse it.
    """
    chat = fit_chat(wanted.chat)
    params: dict[str, Any] = {"chat_id": chat if chat.startswith("@") else int(chat)}
    if wanted.attachment is None:
        method, prefix = "sendMessage", ""
        params["text"] = _fit_text("text", wanted.text or "", _TEXT_UNITS, wanted)
    else:
        method, prefix = f"send{wanted.attachment.kind.capitalize()}", "caption_"
        params |= _file_of(wanted.attachment)
        if wanted.text:
            params["caption"] = _fit_text("caption", wanted.text, _CAPTION_UNITS, wanted)
    if wanted.parse_mode is not None:
        params["parse_mode"] = wanted.parse_mode
    if wanted.entities:
        params[f"{prefix}entities"] = _fit_entities(wanted)
    if wanted.buttons:
        params["reply_markup"] = {"inline_keyboard": _fit_buttons(wanted.buttons)}
    if wanted.silent:
        params["disable_notification"] = True
    return Call(method, params, chat, Lane[wanted.lane.upper()])


def fit_chat(chat: str) -> str:
    """A chat, as the outbox calls it.

    Raises:
        InputError: it is neither a number of Telegram's nor a name.
    """
    number = _CHAT_NUMBER.fullmatch(chat) is not None and abs(int(chat)) < _LARGEST_CHAT
    if not number and not _CHAT_NAME.fullmatch(chat):
        remedy = "Write Telegram's number of it, as 7234567890 or -1001234567890, or the @name of a channel."
        raise InputError("chat_id", "is no chat of Telegram's.", remedy)
    return chat


def fits(call: Call) -> bool:
    """Whether the text of a call is one that Telegram takes: where values were written into it, it may be longer."""
    most = _TEXT_UNITS if "text" in call.params else _CAPTION_UNITS
    shown = _visible(call.params.get("text", call.params.get("caption", "")), call.params.get("parse_mode"))
    return units(shown) <= most and (bool(shown.strip()) or "text" not in call.params)


def units(text: str) -> int:
    """How long Telegram takes a text to be: in UTF-16 code units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


class _Shown(HTMLParser):
    """What is left of a text when its tags are gone."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def _visible(text: str, parse_mode: ParseMode | None) -> str:
    """What people will read of it, or less than that: of Markdown every sign that may be markup is left out."""
    if parse_mode == "HTML":
        reader = _Shown()
        reader.feed(text)
        reader.close()
        return "".join(reader.parts)
    return text if parse_mode is None else _MARKDOWN_LINK.sub("", text).translate(_MARKDOWN_SIGNS)


def _fit_text(field: str, text: str, most: int, wanted: Wanted) -> str:
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise InputError(field, "has a NUL or half a character in it.", "Send text as UTF-8.")
    shown = _visible(text, wanted.parse_mode)
    if not shown.strip() and wanted.parse_mode in (None, "HTML"):
        raise InputError(field, "says nothing.", "Write something, or send a file.")
    if units(shown) > most:
        problem = f"has {units(shown)} UTF-16 code units without its markup; Telegram takes {most}."
        raise InputError(field, problem, "Send it as several messages.")
    return text


def _fit_entities(wanted: Wanted) -> list[dict[str, Any]]:
    if wanted.parse_mode is not None:
        raise InputError("entities", "stand beside parseMode.", "Use one of the two.")
    length = units(wanted.text or "")
    for entity in wanted.entities:
        if entity["offset"] + entity["length"] > length:
            remedy = "Count in UTF-16 code units: most emoji are two."
            raise InputError("entities", "one of them ends behind the text.", remedy)
    return [dict(entity) for entity in wanted.entities]


def _fit_buttons(rows: Sequence[Sequence[Button]]) -> list[list[dict[str, str]]]:
    if sum(map(len, rows)) > _MOST_BUTTONS or not all(rows):
        raise InputError("buttons", f"a message has 1 to {_MOST_BUTTONS} of them, and no empty row.", "")
    return [[_fit_button(button) for button in row] for row in rows]


def _fit_button(button: Button) -> dict[str, str]:
    if not button.text.strip():
        raise InputError("buttons", "one of them says nothing.", "Give each a text.")
    if (button.url is None) == (button.data is None):
        raise InputError("buttons", "each has a url or data, and not both.", "")
    if button.url is not None:
        if not _BUTTON_URL.fullmatch(button.url):
            raise InputError("buttons", "the url of one is no http, https or tg address.", "")
        return {"text": button.text, "url": button.url}
    data = button.data or ""
    if not 0 < len(data.encode("utf-8", "surrogatepass")) <= _DATA_BYTES:
        raise InputError("buttons", f"the data of one has not 1 to {_DATA_BYTES} bytes.", "Keep it elsewhere.")
    return {"text": button.text, "callback_data": data}


def _file_of(attachment: Attachment) -> dict[str, Any]:
    if isinstance(attachment.given, str):
        return {attachment.kind: attachment.given}
    one = attachment.given
    told = {"sha256": one.content, "size": one.size, "name": one.name, "type": one.type}
    return {FILES: {attachment.kind: told}}


KINDS: Final[tuple[FileKind, ...]] = get_args(FileKind)
