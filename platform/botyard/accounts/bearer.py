"""Bearer tokens: random, shown once; what is kept cannot be shown."""

import secrets
from hashlib import sha256
from typing import Final

PREFIX: Final = "by_"
"""So that scanners of repositories, and the filter of the logs, know one when they see it."""
_BYTES: Final = 32


def fresh_token() -> str:
    """A token that nobody can guess: 256 random bits."""
    return PREFIX + secrets.token_urlsafe(_BYTES)


def digest_of(token: str) -> bytes:
    """What is kept of a token. Plain SHA-256: there are too many tokens to try them all, however fast one is tried."""
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
