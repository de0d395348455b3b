"""Lists in parts: each answer says with a link where the next part begins, by the last row that it shows.

Parts are cut by keys and not by counting, so that what is added or removed meanwhile makes nobody see a row twice or
miss one, and the last part costs what the first does.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Generic, Self, TypeVar
from urllib.parse import urlencode

import orjson
from fastapi import Depends, Query, Request
from pydantic import Field

from botyard.errors import InputError
from botyard.web.api.shapes import Shown

_LONGEST: Final = 500

Item = TypeVar("Item")


class Page(Shown, Generic[Item]):
    """A part of a list."""

    items: list[Item]
    next: str | None = Field(description="The address of the next part; null: this was the last.")

    @classmethod
    def of(cls, asked: "Asked", items: Sequence[Item], following: Sequence[Any] | None) -> Self:
        """A part.

        Args:
            asked: what was asked for.
            items: its rows.
            following: the keys of the last of them, if there are more behind it.
        """
        return cls(items=list(items), next=None if following is None else asked.link(following))


@dataclass(frozen=True, slots=True)
class Asked:
    """Which part of a list somebody wants."""

    request: Request
    cursor: str | None
    limit: int

    def after(self, *kinds: type) -> tuple[Any, ...] | None:
        """The keys behind which the part begins; none: at the beginning.

        Args:
            kinds: of which type each of them is: `int`, `str` or `datetime`.

        Raises:
            InputError: the cursor is none of this list's.
        """
        if self.cursor is None:
            return None
        try:
            padded = self.cursor + "=" * (-len(self.cursor) % 4)
            found: Any = orjson.loads(base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True))
            return tuple(_read(kind, value) for kind, value in zip(kinds, found, strict=True))
        except (binascii.Error, ValueError, TypeError):
            problem = "is not one that this list gave."
            raise InputError("cursor", problem, "Follow `next` of the answer before, or begin anew.") from None

    def link(self, keys: Sequence[Any]) -> str:
        """The address of the part behind a row with these keys."""
        written = [key.isoformat() if isinstance(key, datetime) else key for key in keys]
        cursor = base64.urlsafe_b64encode(orjson.dumps(written)).rstrip(b"=").decode()
        kept = [(name, value) for name, value in self.request.query_params.multi_items() if name != "cursor"]
        return f"{self.request.url.path}?{urlencode([*kept, ('cursor', cursor)])}"


def _read(kind: type, value: object) -> Any:
    if kind is datetime and isinstance(value, str):
        found = datetime.fromisoformat(value)
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    if type(value) is not kind or (isinstance(value, int) and not -(2**63) <= value < 2**63):
        raise TypeError
    if isinstance(value, str) and "\0" in value:
        raise ValueError
    return value


def _asked(
    request: Request,
    cursor: Annotated[str | None, Query(max_length=_LONGEST, description="From `next` of the part before.")] = None,
    limit: Annotated[int, Query(ge=1, le=100, description="How many at most.")] = 50,
) -> Asked:
    return Asked(request, cursor, limit)


PageAsked = Annotated[Asked, Depends(_asked)]
"""Which part of a list is wanted."""
