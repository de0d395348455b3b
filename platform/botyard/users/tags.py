"""What may be noted of a person: tags, attributes, a language."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from botyard.errors import InputError

MOST_TAGS: Final = 50
LONGEST_TAG: Final = 64
_MOST_BYTES: Final = 16 * 1024
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}", re.ASCII)


def fit_tag(tag: str) -> str:
    """A tag as it is kept: ``VIP`` and ``vip`` are the same, and so are all ways to write a letter or a space.

    Raises:
        InputError: it is empty, too long, or has something that cannot be seen in it.
    """
    found = " ".join(unicodedata.normalize("NFKC", tag).casefold().split())
    if not 0 < len(found) <= LONGEST_TAG:
        raise InputError("tags", f"a tag has 1 to {LONGEST_TAG} characters.", "Give it a short name.")
    if any(unicodedata.category(character)[0] == "C" for character in found):
        raise InputError("tags", "a tag has a character in it that cannot be seen.", "Use letters, digits and signs.")
    return found


def tags_after(now: Iterable[str], added: Iterable[str], removed: Iterable[str]) -> list[str]:
    """The tags that somebody has after a change, in alphabetical order; what is both added and removed is gone.

    Raises:
        InputError: a tag cannot be one, or there would be too many.
    """
    found = ({*now} | {fit_tag(tag) for tag in added}) - {fit_tag(tag) for tag in removed}
    if len(found) > MOST_TAGS:
        raise InputError("tags", f"a person has {MOST_TAGS} tags at most.", "Remove some, or use an attribute.")
    return sorted(found)


def attributes_after(now: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes that somebody has after a change: what is given takes the place of what was, null removes it.

    Raises:
        InputError: they cannot be kept, or are too large.
    """
    merged = {name: value for name, value in {**now, **given}.items() if value is not None}
    try:
        text = orjson.dumps(merged)
    except (TypeError, ValueError):
        raise InputError("attributes", "have something in them that cannot be kept.", "Use plain JSON.") from None
    if len(text) > _MOST_BYTES:
        raise InputError("attributes", "have more than 16 KiB as JSON.", "Keep what is large elsewhere.")
    if b"\\u0000" in text:
        raise InputError("attributes", "have a NUL character in them.", "Leave it out.")
    kept: dict[str, Any] = orjson.loads(text)
    return kept


def fit_language(language: str | None) -> str | None:
    """A language as it is kept, or none.

    Raises:
        InputError: it is no tag of a language.
    """
    if language is None:
        return None
    if not _LANGUAGE.fullmatch(language):
        raise InputError("language", "is no language tag.", "Write it as `en` or `pt-br`.")
    return language.lower()
