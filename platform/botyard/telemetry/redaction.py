"""No secret leaves: bot tokens, and passwords in addresses, are masked wherever text goes out."""

import re
from collections.abc import Mapping
from typing import Any, Final

# A token is the bot's number, a colon and 35 characters. It may follow "bot" in an address without a boundary.
_TOKEN: Final = re.compile(r"(?<!\d)(\d{5,16})(?::|%3[Aa])[A-Za-z0-9_-]{30,}")
# A person's bearer token.
_BEARER: Final = re.compile(r"\bby_[A-Za-z0-9_-]{40,}")
# An access token of a sign-in.
_JWT: Final = re.compile(r"\beyJ[A-Za-z0-9_-]+\.eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{20,}")
_PASSWORD: Final = re.compile(r"(?<=://)([^:/@\s]*):[^@/\s]+@")


def redact(text: str) -> str:
    """The text without tokens of bots (their number stays, it is no secret) and people, and passwords in addresses."""
    return _PASSWORD.sub(r"\1:***@", _JWT.sub("eyJ***", _BEARER.sub("by_***", _TOKEN.sub(r"\1:***", text))))


def redact_tree(value: Any) -> Any:
    """The same for every string of a structure of dictionaries, lists and tuples."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {redact_tree(key): redact_tree(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [redact_tree(inner) for inner in value]
    return value
