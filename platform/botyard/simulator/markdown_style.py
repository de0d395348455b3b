"""The styles MarkdownV2 and Markdown of the Bot API ("Formatting options"), as in tdlib/td, MessageEntity.cpp."""

import re

from botyard.simulator.marks import EMOJI, Entity, Mark, Scanner, unparsable

MARKS = {
    "```": ("pre", "```"),
    "__": ("underline", "__"),
    "||": ("spoiler", "||"),
    "![": ("custom_emoji", "]"),
    "*": ("bold", "*"),
    "_": ("italic", "_"),
    "~": ("strikethrough", "~"),
    "`": ("code", "`"),
    "[": ("text_link", "]"),
}
"""Kind and end by what begins it."""
RESERVED = frozenset("_*[]()~`>#+-=|{}.!\n")
NAMES = {"text_link": "TextUrl", "custom_emoji": "CustomEmoji", "blockquote": "BlockQuote"}
"""What refusals call the kinds, where that is not the kind itself."""
CODE_BEGIN = re.compile(r"(?:([^\s`]+)(?=\s))?(?:\r\n|\n\r|\n|\r)?")
"""The language of a block of code, and the one line break that is left out."""
ADDRESS = re.compile(r"\(((?:\\[\x01-~]|[^)])*)(\)?)", re.DOTALL)
OLD_MARKS = {"*": "bold", "_": "italic", "`": "code", "[": "text_link"}


def parse_markdown_v2(text: str) -> tuple[str, list[Entity]]:
    """Return the visible text and its entities.

    Raises:
        ApiError: the marks do not match, or a reserved character is not escaped.
    """
    return _MarkdownV2(text).parse()


def parse_old_markdown(text: str) -> tuple[str, list[Entity]]:
    """Return the visible text and its entities; in this style they cannot stand inside each other.

    Raises:
        ApiError: a mark has no end.
    """
    return _OldMarkdown(text).parse()


class _MarkdownV2(Scanner):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._place = 0
        self._opened: list[Mark] = []
        self._quoting = False
        self._line_begins = True

    def parse(self) -> tuple[str, list[Entity]]:
        while self._place < len(self.text):
            self._step()
        if self._quoting:
            self._close_quote(len(self.text))
        if self._opened:
            raise self._endless(self._opened[-1])
        return "".join(self.plain), self.entities

    def _step(self) -> None:
        """Handle what stands at one place, and go on to the next."""
        text, char = self.text, self.text[self._place]
        after = text[self._place + 1 : self._place + 2]
        literal = bool(self._opened) and self._opened[-1].kind in {"code", "pre"}
        if char == "\\" and "\x01" <= after <= "~":
            self._line_begins = after == "\n" or (after == "\r" and self._line_begins)
            self._take(after, 2)
        elif char not in RESERVED or (literal and char != "`"):
            self._line_begins = char == "\r" and self._line_begins
            self._take(char, 1)
        elif self._quoting and char == "\n" and after != ">":
            self._take("\n", 1)
            self._close_quote(self._place - 1)
            self._line_begins = True
        elif self._ends():
            self._close(self._opened.pop())
        else:
            self._open(char)

    def _take(self, char: str, width: int) -> None:
        self.write(char)
        self._place += width

    def _ends(self) -> bool:
        if not self._opened or not self._opened[-1].name:
            return False
        end = self._opened[-1].name
        doubled = end == "_" and self.text.startswith("__", self._place)
        return self.text.startswith(end, self._place) and not doubled

    def _open(self, char: str) -> None:
        text, begin = self.text, self._place
        if char == "\n":
            self._line_begins = True
            self._take(char, 1)
            return
        if char == ">" and self._line_begins:
            self._place += 1
            if not self._quoting:
                self._quoting = True
                self._opened.append(Mark("blockquote", self.length, begin, len(self.plain), ""))
            return
        mark = next((mark for mark in MARKS if text.startswith(mark, begin)), "")
        if not mark:
            raise unparsable(f"Character '{char}' is reserved and must be escaped with the preceding '\\'")
        kind, end = MARKS[mark]
        self._place += len(mark)
        opened = Mark(kind, self.length, begin, len(self.plain), end)
        if kind == "pre":
            found = CODE_BEGIN.match(text, self._place)
            if found:
                opened.argument, self._place = found[1] or "", found.end()
        self._opened.append(opened)

    def _close(self, mark: Mark) -> None:
        self._place += len(mark.name)
        if mark.kind == "text_link":
            address = self._address()
            self.add_link("".join(self.plain[mark.written :]) if address is None else address, mark.offset)
        elif mark.kind == "custom_emoji":
            found = EMOJI.fullmatch(self._address() or "")
            if found is None:
                raise unparsable("Invalid tg://emoji or tg://time URL specified")
            self.add(mark.kind, mark.offset, custom_emoji_id=found[1])
        else:
            self.add(mark.kind, mark.offset, **({"language": mark.argument} if mark.argument else {}))

    def _close_quote(self, end: int) -> None:
        """Close a quotation before some place; two bars right before it make it one that can be unfolded."""
        kind, last = "blockquote", self._opened[-1]
        if last.kind == "spoiler" and self.text[last.place : end].rstrip("\r") == "||":
            kind = "expandable_blockquote"
            self._opened.pop()
        mark = self._opened.pop()
        if mark.kind != "blockquote":
            raise self._endless(mark)
        self._quoting = False
        self.add(kind, mark.offset)

    def _address(self) -> str | None:
        """Return what stands in brackets here, if there are any."""
        found = ADDRESS.match(self.text, self._place)
        if found is None:
            return None
        if not found[2]:
            raise unparsable(f"Can't find end of a URL at byte offset {self.byte(self._place + 1)}")
        self._place = found.end()
        return re.sub(r"\\([\x01-~])", r"\1", found[1], flags=re.DOTALL)

    def _endless(self, mark: Mark) -> Exception:
        name = NAMES.get(mark.kind, mark.kind.capitalize())
        return unparsable(f"Can't find end of {name} entity at byte offset {self.byte(mark.place)}")


class _OldMarkdown(Scanner):
    def parse(self) -> tuple[str, list[Entity]]:
        place = 0
        while place < len(self.text):
            char, after = self.text[place], self.text[place + 1 : place + 2]
            if char == "\\" and after in OLD_MARKS:
                self.write(after)
                place += 2
            elif char in OLD_MARKS:
                place = self._entity(place)
            else:
                self.write(char)
                place += 1
        return "".join(self.plain), self.entities

    def _entity(self, begin: int) -> int:
        """Read a whole entity, in which nothing is a mark but its end, and return the place after it."""
        text, offset, mark, language = self.text, self.length, self.text[begin], ""
        place, end_mark = begin + 1, "]" if mark == "[" else mark
        kind = OLD_MARKS[mark]
        if text.startswith("```", begin):
            kind, end_mark = "pre", "```"
            found = CODE_BEGIN.match(text, begin + 3)
            if found:
                language, place = found[1] or "", found.end()
        end = text.find(end_mark, place)
        if end < 0:
            raise unparsable(f"Can't find end of the entity starting at byte offset {self.byte(begin)}")
        self.write(text[place:end])
        after = end + len(end_mark)
        if kind != "text_link":
            self.add(kind, offset, **({"language": language} if language else {}))
            return after
        if not text.startswith("(", after):
            self.add_link(text[place:end], offset)
            return after
        closing = text.find(")", after)
        self.add_link(text[after + 1 : closing if closing >= 0 else len(text)], offset)
        return closing + 1 if closing >= 0 else len(text)
