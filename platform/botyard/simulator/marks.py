"""What the styles of formatting share: entities, marks that wait for their end, links.

Offsets and lengths count UTF-16 units, as Telegram does; the places that refusals name count bytes.
"""

import re
from dataclasses import dataclass
from typing import Any

from botyard.simulator.errors import ApiError, bad_request

Entity = dict[str, Any]

PERSON = re.compile(r"tg:(?://)?user\?id=([1-9][0-9]{0,15})")
EMOJI = re.compile(r"tg:(?://)?emoji\?id=([1-9][0-9]{0,18})")
SCHEME = re.compile(r"(?:https?|tonsite)://", re.IGNORECASE)


@dataclass(slots=True)
class Mark:
    """A mark that waits for its end.

    Args:
        kind: the type of its entity.
        offset: where the entity begins in the visible text.
        place: where the mark stands in what the bot sent, in characters.
        written: how many pieces of visible text stand before it.
        name: of the tag, or what ends it.
        argument: what the mark says besides, such as a language or an address.
    """

    kind: str
    offset: int
    place: int
    written: int
    name: str
    argument: str = ""


class Scanner:
    """Text with marks becomes visible text and entities; every style has its own way through it.

    Args:
        text: what the bot sent.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.plain: list[str] = []
        self.length = 0
        self.entities: list[Entity] = []

    def write(self, piece: str) -> None:
        """Append to the visible text."""
        self.plain.append(piece)
        self.length += units(piece)

    def add(self, kind: str, offset: int, **fields: Any) -> None:
        """Add an entity that ends here, unless there is nothing in it."""
        if self.length > offset:
            self.entities.append({"type": kind, "offset": offset, "length": self.length - offset} | fields)

    def add_link(self, address: str, offset: int) -> None:
        """Add a link that ends here, or a mention if it is a person's; what is no address leaves plain text."""
        person = PERSON.fullmatch(address)
        if person:
            self.add("text_mention", offset, user={"id": int(person[1])})
        elif address.lower().startswith(("tg:", "ton:")) or SCHEME.match(address):
            self.add("text_link", offset, url=address)
        elif "." in re.split(r"[/?#]", address)[0]:
            self.add("text_link", offset, url=f"http://{address}")

    def byte(self, place: int) -> int:
        """Return how many bytes stand before a place."""
        return len(self.text[:place].encode())


def units(text: str) -> int:
    """Return the length of a text in UTF-16 units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def unparsable(words: str) -> ApiError:
    """Return the refusal of a text whose marks are wrong."""
    return bad_request(f"can't parse entities: {words}")
