"""The HTML style of the Bot API ("Formatting options"), with the words of tdlib/td, MessageEntity.cpp."""

import re

from botyard.simulator.errors import bad_request
from botyard.simulator.marks import Entity, Mark, Scanner, unparsable

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
    "span": "spoiler",
    "tg-emoji": "custom_emoji",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "a": "text_link",
}
ARGUMENTS = {"a": "href", "code": "class", "span": "class", "tg-emoji": "emoji-id", "blockquote": "expandable"}
"""The only attribute that a tag has."""
CHARACTERS = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
ESCAPE = re.compile(r"&(?:#x([0-9a-fA-F]+)|#([0-9]+)|(lt|gt|amp|quot)(?![a-zA-Z]));?")
LONGEST_NUMBER = 9
"""Characters of a numeric escape without its semicolon."""
NAME = re.compile(r"[^\s>]*")
END = re.compile(r"</([^\s>]*)\s*>")
ATTRIBUTE = re.compile(
    r"""\s*([^\s=>/"']+)(?:\s*=\s*(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<word>[A-Za-z0-9.-]*)(?=[\s>])))?\s*"""
)
LANGUAGE = "language-"


def parse_html(text: str) -> tuple[str, list[Entity]]:
    """Return the visible text and its entities.

    Raises:
        ApiError: the tags do not match, or are none of Telegram's.
    """
    return _Html(text).parse()


class _Html(Scanner):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._opened: list[Mark] = []

    def parse(self) -> tuple[str, list[Entity]]:
        text, place = self.text, 0
        while (tag := text.find("<", place)) >= 0:
            self.write(_unescape(text[place:tag]))
            place = self._end(tag) if text.startswith("</", tag) else self._start(tag)
        self.write(_unescape(text[place:]))
        if self._opened:
            raise unparsable(f'Can\'t find end tag corresponding to start tag "{self._opened[-1].name}"')
        for entity in self.entities:
            if entity["type"] == "code":
                entity.pop("language", None)
        return "".join(self.plain), self.entities

    def _start(self, tag: int) -> int:
        """Read a start tag and return the place after it."""
        found = NAME.match(self.text, tag + 1)
        name, place = (found[0].lower(), found.end()) if found else ("", tag + 1)
        if place == len(self.text):
            raise unparsable(f"Unclosed start tag at byte offset {self.byte(tag)}")
        if name not in TAGS:
            raise unparsable(f'Unsupported start tag "{name}" at byte offset {self.byte(tag)}')
        argument, place = self._argument(name, tag, place)
        if name == "span" and argument != "tg-spoiler":
            raise unparsable(f'Tag "span" must have class "tg-spoiler" at byte offset {self.byte(tag)}')
        self._opened.append(Mark(TAGS[name], self.length, tag, len(self.plain), name, argument))
        return place

    def _argument(self, name: str, tag: int, place: int) -> tuple[str, int]:
        """Return the value of the attribute that counts, and the place after the tag."""
        text, argument = self.text, ""
        while not text.startswith(">", place):
            found = ATTRIBUTE.match(text, place)
            if text[place:].isspace() or (found and found.end() == len(text)):
                raise unparsable(f'Unclosed start tag "{name}" at byte offset {self.byte(tag)}')
            if found is None:
                if text[place].isspace():
                    place += 1
                    continue
                raise unparsable(f'Empty attribute name in the tag "{name}" at byte offset {self.byte(tag)}')
            place = found.end()
            if found[1] == ARGUMENTS.get(name):
                argument = _unescape(found["double"] or found["single"] or "") or (found["word"] or "").lower()
                argument = argument or ("1" if name == "blockquote" else "")
        return argument, place + 1

    def _end(self, tag: int) -> int:
        """Read an end tag and return the place after it."""
        if not self._opened:
            raise unparsable(f"Unexpected end tag at byte offset {self.byte(tag)}")
        found = END.match(self.text, tag)
        if found is None:
            raise unparsable(f"Unclosed end tag at byte offset {self.byte(tag)}")
        mark, name = self._opened.pop(), found[1].lower()
        if name not in ("", mark.name):
            words = f'Unmatched end tag at byte offset {self.byte(tag)}, expected "</{mark.name}>", found "</{name}>"'
            raise unparsable(words)
        self._close(mark)
        return found.end()

    def _close(self, mark: Mark) -> None:
        match mark.name:
            case "a":
                self.add_link(mark.argument or "".join(self.plain[mark.written :]), mark.offset)
            case "tg-emoji":
                if not re.fullmatch(r"[1-9][0-9]{0,18}", mark.argument, re.ASCII):
                    raise bad_request("can't parse entities: Invalid custom emoji identifier specified")
                self.add(mark.kind, mark.offset, custom_emoji_id=mark.argument)
            case "blockquote" if mark.argument:
                self.add("expandable_blockquote", mark.offset)
            case "code" | "pre":
                self._close_code(mark)
            case _:
                self.add(mark.kind, mark.offset)

    def _close_code(self, mark: Mark) -> None:
        """Close code; ``pre`` and ``code`` around the very same text are one, in the language of ``code``."""
        language = mark.argument.removeprefix(LANGUAGE) if mark.argument.startswith(LANGUAGE) else ""
        last = self.entities[-1] if self.entities else {}
        same = (last.get("offset"), last.get("length")) == (mark.offset, self.length - mark.offset)
        if same and mark.name == "pre" and last["type"] == "code" and "language" in last:
            last["type"] = "pre"
        elif same and language and last["type"] == "pre":
            last["language"] = language
        else:
            self.add(mark.kind, mark.offset, **({"language": language} if language else {}))


def _unescape(text: str) -> str:
    return ESCAPE.sub(_character, text) if "&" in text else text


def _character(found: re.Match[str]) -> str:
    if found[3]:
        return CHARACTERS[found[3]]
    if len(found[0].removesuffix(";")) > LONGEST_NUMBER:
        return found[0]
    code = int(found[1], 16) if found[1] else int(found[2])
    if 0xD800 <= code <= 0xDFFF:
        raise bad_request("Text contains invalid Unicode characters after decoding HTML entities")
    return chr(code) if 0 < code < 0x10FFFF else found[0]
