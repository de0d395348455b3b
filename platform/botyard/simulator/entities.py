"""Formatting: HTML, MarkdownV2 and Markdown to text with entities, and the commands in a plain text.

Offsets and lengths count UTF-16 units, as Telegram does.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import unescape
from typing import Any

from botyard.simulator.errors import ApiError, bad_request

Entity = dict[str, Any]

COMMAND = re.compile(r"(?<![\w/<>@])/[A-Za-z0-9_]{1,64}(?:@\w{3,32})?(?![\w/])", re.ASCII)
TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9-]*)((?:\s[^<>]*)?)>")
HREF = re.compile(r"""href\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""")
TAGS = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "tg-spoiler": "spoiler",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "a": "text_link",
}
MARKS_V2 = {
    "__": "underline",
    "||": "spoiler",
    "```": "pre",
    "*": "bold",
    "_": "italic",
    "~": "strikethrough",
    "`": "code",
}
MARKS_V1 = {"```": "pre", "*": "bold", "_": "italic", "`": "code"}
RESERVED_V2 = frozenset("_*[]()~`>#+-=|{}.!")
LINK = re.compile(r"\]\(((?:\\.|[^)\\])*)\)", re.DOTALL)
LITERAL = frozenset({"code", "pre"})
UNSEARCHED = LITERAL | {"text_link"}
"""Entities in which no command is looked for."""


def units(text: str) -> int:
    """Return the length of a text in UTF-16 units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def find_commands(text: str) -> list[Entity]:
    """Return a ``bot_command`` entity for each command in a plain text."""
    if "/" not in text:
        return []
    return [
        {"type": "bot_command", "offset": units(text[: found.start()]), "length": units(found[0])}
        for found in COMMAND.finditer(text)
    ]


def parse(text: str, parse_mode: str) -> tuple[str, list[Entity]]:
    """Return the visible text and its entities.

    Args:
        text: what the bot sent.
        parse_mode: ``HTML``, ``MarkdownV2``, ``Markdown`` (any case) or nothing.

    Raises:
        ApiError: with Telegram's words, when the marks do not match.
    """
    mode = parse_mode.lower()
    if not mode or mode == "none":
        return text, find_commands(text)
    if mode == "html":
        plain, entities = _parse_html(text)
    elif mode == "markdownv2":
        plain, entities = _Markdown(text, MARKS_V2, RESERVED_V2).parse()
    elif mode == "markdown":
        plain, entities = _Markdown(text, MARKS_V1, frozenset()).parse()
    else:
        raise bad_request("unsupported parse_mode")
    commands = [found for found in find_commands(plain) if not _inside_literal(found, entities)]
    return plain, _ordered(entities + commands)


def _inside_literal(found: Entity, entities: Sequence[Entity]) -> bool:
    """Tell whether code or a link already covers the place of a command."""
    return any(
        entity["offset"] <= found["offset"] < entity["offset"] + entity["length"]
        for entity in entities
        if entity["type"] in UNSEARCHED
    )


def _unparsable(words: str) -> ApiError:
    return bad_request(f"can't parse entities: {words}")


@dataclass(slots=True)
class _Open:
    """A mark that waits for its end."""

    name: str
    kind: str
    offset: int
    url: str = ""
    silent: bool = False

    def close(self, end: int) -> Entity | None:
        if end <= self.offset or self.silent:
            return None
        entity: Entity = {"type": self.kind, "offset": self.offset, "length": end - self.offset}
        if self.url:
            entity["url"] = self.url
        return entity


def _parse_html(text: str) -> tuple[str, list[Entity]]:
    """Parse the HTML style of the Bot API ("Formatting options")."""
    plain: list[str] = []
    entities: list[Entity] = []
    opened: list[_Open] = []
    length = place = 0
    for tag in TAG.finditer(text):
        piece = _unescape(text, place, tag.start())
        plain.append(piece)
        length += units(piece)
        place = tag.end()
        name = tag[2].lower()
        at = len(text[: tag.start()].encode())
        if tag[1]:
            entity = _close_tag(opened, name, at).close(length)
            if entity:
                entities.append(entity)
        else:
            opened.append(_open_tag(name, tag[3], length, at))
    plain.append(_unescape(text, place, len(text)))
    if opened:
        raise _unparsable(f'Can\'t find end tag corresponding to start tag "{opened[-1].name}"')
    return "".join(plain), entities


def _unescape(text: str, start: int, end: int) -> str:
    piece = text[start:end]
    broken = piece.find("<")
    if broken >= 0:
        at = len(text[: start + broken].encode())
        raise _unparsable(f'Unsupported start tag "{piece[broken + 1 :][:20]}" at byte offset {at}')
    return unescape(piece)


def _open_tag(name: str, attributes: str, offset: int, at: int) -> _Open:
    if name == "span" and 'class="tg-spoiler"' in attributes:
        return _Open(name, "spoiler", offset)
    if name not in TAGS:
        raise _unparsable(f'Unsupported start tag "{name}" at byte offset {at}')
    href = HREF.search(attributes) if name == "a" else None
    url = unescape(next((part for part in href.groups() if part), "")) if href else ""
    return _Open(name, TAGS[name], offset, url, silent=name == "a" and not url)


def _close_tag(opened: list[_Open], name: str, at: int) -> _Open:
    if not opened:
        raise _unparsable(f"Unexpected end tag at byte offset {at}")
    last = opened.pop()
    if last.name != name:
        raise _unparsable(f'Unmatched end tag at byte offset {at}, expected "</{last.name}>", found "</{name}>"')
    return last


class _Markdown:
    """A single pass over both Markdown styles of the Bot API."""

    def __init__(self, text: str, marks: dict[str, str], reserved: frozenset[str]) -> None:
        self.text = text
        self.marks = marks
        self.reserved = reserved
        self.plain: list[str] = []
        self.length = 0
        self.opened: list[_Open] = []
        self.entities: list[Entity] = []

    def parse(self) -> tuple[str, list[Entity]]:
        place = 0
        while place < len(self.text):
            place = self._step(place)
        if self.opened:
            last = self.opened[-1]
            raise _unparsable(f"Can't find end of {last.kind.capitalize()} entity at byte offset {last.offset}")
        return "".join(self.plain), self.entities

    def _step(self, place: int) -> int:
        """Handle what stands at one place and return the next place."""
        text, char = self.text, self.text[place]
        literal = self.opened and self.opened[-1].kind in LITERAL
        if char == "\\" and place + 1 < len(text) and ord(text[place + 1]) < 127:
            self._write(text[place + 1])
            return place + 2
        mark = next((mark for mark in self.marks if text.startswith(mark, place)), "")
        if mark and (not literal or self.opened[-1].name == mark):
            self._toggle(mark)
            return place + len(mark)
        if not literal and char == "[":
            self.opened.append(_Open("[", "text_link", self.length))
            return place + 1
        if not literal and char == "]" and self.opened and self.opened[-1].name == "[":
            return self._end_link(place)
        if not literal and char in self.reserved:
            raise _unparsable(f"Character '{char}' is reserved and must be escaped with the preceding '\\'")
        self._write(char)
        return place + 1

    def _write(self, char: str) -> None:
        self.plain.append(char)
        self.length += units(char)

    def _toggle(self, mark: str) -> None:
        if self.opened and self.opened[-1].name == mark:
            self._end(self.opened.pop())
        else:
            self.opened.append(_Open(mark, self.marks[mark], self.length))

    def _end(self, opened: _Open) -> None:
        entity = opened.close(self.length)
        if entity:
            self.entities.append(entity)

    def _end_link(self, place: int) -> int:
        opened = self.opened.pop()
        link = LINK.match(self.text, place)
        if link is None:
            opened.silent = True
            self._end(opened)
            return place + 1
        opened.url = re.sub(r"\\(.)", r"\1", link[1])
        opened.silent = not opened.url
        self._end(opened)
        return link.end()


def _ordered(entities: Sequence[Entity]) -> list[Entity]:
    """Return entities in Telegram's order: by place, the longer first."""
    return sorted(entities, key=lambda entity: (entity["offset"], -entity["length"]))
