"""Access tokens of sign-ins: JSON Web Tokens of a quarter of an hour, signed with Ed25519. See docs/access.md.

Sources: RFC 8725 (what a verifier must not believe), RFC 9068 (the type ``at+jwt``).

The keys are derived from those of the vault, so that each process of an installation has the same ones and none is
stored. Which key signed is said by ``kid`` and looked up among them: nothing else that a token says of keys or
algorithms is used.
"""

import re
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from botyard.vault.keys import Key, Keyring, keyring

LIFETIME: Final = timedelta(minutes=15)
_PURPOSE: Final = "access tokens"
_ALGORITHM: Final = "EdDSA"
_TYPE: Final = "at+jwt"
_ISSUER: Final = "botyard"
_AUDIENCE: Final = "botyard:api"
_SKEW: Final = timedelta(seconds=60)
"""Clocks of machines may differ by so much."""
_CLAIMS: Final = ("aud", "iss", "exp", "iat", "sub", "sid")
_SHAPE: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_KEY_ID: Final = re.compile(r"[0-9a-f]{8}")
_SUBJECT: Final = re.compile(r"per_([1-9][0-9]{0,17})", re.ASCII)
_SIGN_IN: Final = re.compile(r"ses_([1-9][0-9]{0,17})", re.ASCII)
# Reading the keys again may mean to run a command: names that somebody made up must not let it run all the time.
_LOOK_AGAIN_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Claims:
    """What a valid access token says.

    Args:
        person_id: whose it is.
        sign_in_id: from which sign-in, which may be over.
    """

    person_id: int
    sign_in_id: int


class SignedTokens:
    """Makes and checks access tokens.

    Args:
        keys: of which the signing keys are derived; the newest signs.
    """

    def __init__(self, keys: Keyring) -> None:
        self._keys = keys
        self._lock = threading.Lock()
        self._known: dict[str, Ed25519PublicKey] = {}
        self._looked = -_LOOK_AGAIN_SECONDS

    def issue(self, claims: Claims, now: datetime | None = None) -> str:
        """A token that is valid for a quarter of an hour.

        Args:
            claims: what it is to say.
            now: since when.

        Raises:
            InputError: there is no key.
        """
        key = self._keys.at_hand()[0]
        since = now or datetime.now(UTC)
        said = {
            "iss": _ISSUER, "aud": _AUDIENCE, "iat": since, "exp": since + LIFETIME,
            "sub": f"per_{claims.person_id}", "sid": f"ses_{claims.sign_in_id}",
        }  # fmt: skip
        return jwt.encode(said, _signing(key), algorithm=_ALGORITHM, headers={"typ": _TYPE, "kid": key.id})

    def read(self, token: str) -> Claims | None:
        """What a token says; nothing if it is not ours, for another use, altered, or over.

        Raises:
            InputError: there are no keys.
        """
        try:
            header = jwt.get_unverified_header(token)
            if header.get("typ") != _TYPE or (key := self._key(header.get("kid"))) is None:
                return None
            said = jwt.decode(
                token, key, algorithms=[_ALGORITHM], audience=_AUDIENCE, issuer=_ISSUER, leeway=_SKEW,
                options={"require": list(_CLAIMS)},
            )  # fmt: skip
        except jwt.InvalidTokenError:
            return None
        return _claims(said)

    def _key(self, key_id: object) -> Ed25519PublicKey | None:
        if not isinstance(key_id, str) or _KEY_ID.fullmatch(key_id) is None:
            return None
        if (known := self._known.get(key_id)) is not None:
            return known
        at_hand = (key for key in self._keys.at_hand() if key.id == key_id)
        found = next(at_hand, None) or self._new_key(key_id)
        if found is None:
            return None
        public = _signing(found).public_key()
        self._known = self._known | {key_id: public}
        return public

    def _new_key(self, key_id: str) -> Key | None:
        """A key that another process has read earlier than this one."""
        with self._lock:
            now = time.monotonic()
            if now - self._looked < _LOOK_AGAIN_SECONDS:
                return None
            self._looked = now
        return self._keys.find(key_id)


def is_signed_token(token: str) -> bool:
    """Whether something has the shape of an access token; API keys have another one."""
    return _SHAPE.fullmatch(token) is not None


@lru_cache(maxsize=1)
def _of(keys: Keyring) -> SignedTokens:
    return SignedTokens(keys)


def signed_tokens() -> SignedTokens:
    """Those of this process."""
    return _of(keyring())


def _signing(key: Key) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(key.derived(_PURPOSE))


def _claims(said: dict[str, Any]) -> Claims | None:
    person, sign_in = _SUBJECT.fullmatch(str(said["sub"])), _SIGN_IN.fullmatch(str(said["sid"]))
    if person is None or sign_in is None:
        return None
    return Claims(int(person.group(1)), int(sign_in.group(1)))
