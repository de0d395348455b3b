"""What people and programs show to be known: random, shown once; what is kept of it cannot be shown.

Everything secret begins with ``by_``, so that scanners of repositories, and the filter of the logs, know it when they
see it. An API key is ``by_<public id>_<secret><checksum>``: the public id is looked up, the secret is compared, and a
key that was copied in part is known by its checksum.
"""

import re
import secrets
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest
from string import ascii_letters, digits
from typing import Final
from zlib import crc32

PREFIX: Final = "by_"
_ALPHABET: Final = digits + ascii_letters
# 62 to the power of these are at least 2**71 and 2**256.
_PUBLIC_LENGTH: Final = 12
_SECRET_LENGTH: Final = 43
_CHECK_LENGTH: Final = 6
_KEY: Final = re.compile(rf"by_([0-9A-Za-z]{{{_PUBLIC_LENGTH}}})_[0-9A-Za-z]{{{_SECRET_LENGTH + _CHECK_LENGTH}}}")
# Made by older code, and still valid.
_OLDER: Final = re.compile(r"by_[A-Za-z0-9_-]{43}")
_REFRESH: Final = re.compile(r"by_refresh_([1-9][0-9]{0,17})_([0-9A-Za-z]{22})_([0-9A-Za-z_-]{43})")
_FAMILY_LENGTH: Final = 22


@dataclass(frozen=True, slots=True)
class FreshKey:
    """An API key that was just made; it is nowhere else."""

    public_id: str
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Refresh:
    """The parts of a refresh token.

    Args:
        sign_in_id: of which sign-in it is.
        family: what all tokens of this sign-in share: whoever shows it has, or had, one of them.
        part: what only this one has.
    """

    sign_in_id: int
    family: str = field(repr=False)
    part: str = field(repr=False)

    def __str__(self) -> str:
        return f"{PREFIX}refresh_{self.sign_in_id}_{self.family}_{self.part}"


def fresh_key() -> FreshKey:
    """An API key that nobody can guess: its secret has 256 random bits."""
    public_id = random_text(_PUBLIC_LENGTH)
    body = f"{PREFIX}{public_id}_{random_text(_SECRET_LENGTH)}"
    return FreshKey(public_id, body + _checksum(body))


def fresh_link_code() -> str:
    """What a link that is valid once ends with: 256 random bits."""
    return f"{PREFIX}link_{random_text(_SECRET_LENGTH)}"


def fresh_family() -> str:
    """What the refresh tokens of one sign-in share."""
    return random_text(_FAMILY_LENGTH)


def fresh_part() -> str:
    """What the first refresh token of a sign-in has for itself: 256 random bits."""
    return secrets.token_urlsafe(32)


def public_id_of(token: str) -> str | None:
    """The public id of an API key; nothing of what cannot be one, such as a key that was copied in part."""
    found = _KEY.fullmatch(token)
    if found is None or not is_same(_checksum(token[:-_CHECK_LENGTH]), token[-_CHECK_LENGTH:]):
        return None
    return found.group(1)


def is_older_key(token: str) -> bool:
    """Whether it may be a key that older code made: those are found by their digest."""
    return _OLDER.fullmatch(token) is not None


def parse_refresh(token: str) -> Refresh | None:
    """The parts of a refresh token; nothing of what is none."""
    found = _REFRESH.fullmatch(token)
    return None if found is None else Refresh(int(found.group(1)), found.group(2), found.group(3))


def digest_of(token: str) -> bytes:
    """What is kept of a secret. Plain SHA-256: there are too many to try them all, however fast one is tried."""
    return sha256(token.encode("utf-8", "surrogatepass")).digest()


def is_same(one: bytes | str, other: bytes | str) -> bool:
    """Whether two secrets, or their digests, are the same; takes no longer the more of them is."""
    first, second = (text.encode() if isinstance(text, str) else text for text in (one, other))
    return compare_digest(first, second)


def random_text(length: int) -> str:
    """So many letters and digits that nobody can guess."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _checksum(body: str) -> str:
    rest, found = crc32(body.encode()), []
    for _ in range(_CHECK_LENGTH):
        rest, digit = divmod(rest, len(_ALPHABET))
        found.append(_ALPHABET[digit])
    return "".join(found)
