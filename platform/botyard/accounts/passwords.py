"""Passwords: which ones are fit, and their Argon2id hashes. See docs/access.md.

Sources: RFC 9106 section 4 (the parameters), RFC 8265 (how a password is written), NIST SP 800-63B (what is refused).
"""

import threading
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from botyard.errors import InputError, TransientError

SHORTEST: Final = 12
LONGEST: Final = 128
_GOOD_SCORE: Final = 3
"""Of zxcvbn: it takes more than 100,000,000 guesses of somebody who knows what people choose."""
_ESTIMATED: Final = 32
"""The estimate takes a second and more for long texts that are made for it."""
# Each holds 64 MiB and two cores for a tenth of a second. Who finds more than a few waiting comes again.
_AT_ONCE: Final = threading.BoundedSemaphore(2)
_WAITING: Final = threading.BoundedSemaphore(10)
_HASHER: Final = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)


class Busy(TransientError):
    """More passwords are to be compared than this machine compares in a second."""

    def __init__(self) -> None:
        super().__init__("Too many people sign in at this moment.", 1)


def fit_password(password: str, name: str) -> str:
    """A password that may be used, as it is hashed.

    Args:
        password: what somebody has chosen.
        name: what they are called: a password that is made of it is easy to guess.

    Raises:
        InputError: it is too short, too long, or easy to guess.
    """
    fit = written(password)
    if len(fit) < SHORTEST:
        raise InputError("password", f"has fewer than {SHORTEST} characters.", "Four words at random are a good one.")
    if len(fit) > LONGEST:
        raise InputError("password", f"has more than {LONGEST} characters.", "Take a shorter one.")
    if _is_easy(fit, name):
        raise InputError(
            "password",
            "is easy to guess: many people use it, or it follows a pattern or your name.",
            "Take four or five words at random, or let a password manager make one.",
        )
    return fit


def hash_password(password: str) -> str:
    """The hash of a password that `fit_password` has given back, with its parameters and a salt of its own.

    Raises:
        Busy: too many are being hashed.
    """
    with _turn():
        return _HASHER.hash(password)


def is_password(stored: str | None, password: str) -> bool:
    """Whether a password is the one of this hash.

    Without a hash the work is the same: how long it takes does not tell whether somebody exists.

    Raises:
        Busy: too many are being compared.
    """
    nobodys = _nobodys()
    with _turn():
        try:
            _HASHER.verify(stored or nobodys, written(password))
        except (VerificationError, InvalidHashError):
            return False
    return stored is not None


def is_outdated(stored: str) -> bool:
    """Whether a hash was made with other parameters than those of now."""
    return _HASHER.check_needs_rehash(stored)


def written(password: str) -> str:
    """A password as it is hashed: one spelling of what looks the same, whichever keyboard it comes from."""
    return unicodedata.normalize("NFC", password)


@lru_cache(maxsize=1)
def _nobodys() -> str:
    return _HASHER.hash("the password of nobody")


@contextmanager
def _turn() -> Iterator[None]:
    if not _WAITING.acquire(blocking=False):
        raise Busy
    try:
        with _AT_ONCE:
            yield
    finally:
        _WAITING.release()


def _is_easy(password: str, name: str) -> bool:
    estimate, common = _estimator()
    lowered = password.lower()
    if lowered in common or name.lower() == lowered:
        return True
    found = estimate(password[:_ESTIMATED], [name[:_ESTIMATED], "botyard", "telegram"])
    return found < _GOOD_SCORE


@lru_cache(maxsize=1)
def _estimator() -> tuple[Callable[[str, list[str]], int], frozenset[str]]:
    """Loaded when it is needed: its lists take some megabytes."""
    from zxcvbn import zxcvbn  # type: ignore[import-untyped]  # noqa: PLC0415
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # type: ignore[import-untyped]  # noqa: PLC0415

    def estimate(password: str, known: list[str]) -> int:
        return int(zxcvbn(password, user_inputs=known)["score"])

    return estimate, frozenset(FREQUENCY_LISTS["passwords"])
