"""How often a password may be guessed: five times, then after waits that double. See docs/access.md.

Tries are counted for each account and for each address. From an address where somebody has signed in to the account
before, only tries of the account from there count: strangers who guess elsewhere do not lock its person out.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from ipaddress import IPv4Address, ip_address, ip_network
from pathlib import Path
from typing import Final

import structlog
from redis import Redis, RedisError

from botyard.errors import TransientError
from botyard.mailbox.server import redis_of
from botyard.settings import get_settings

FREE: Final = 5
FIRST_WAIT: Final = timedelta(seconds=30)
LONGEST_WAIT: Final = timedelta(minutes=15)
_REMEMBERED: Final = timedelta(hours=1)
_ADDRESS_KNOWN: Final = timedelta(days=90)
_SCRIPT: Final = (Path(__file__).parent / "tries.lua").read_text(encoding="utf-8")
# Whoever has one address of version 6 usually has 2**64 of them.
_NETWORK_6: Final = 64

log = structlog.get_logger(__name__)


class TooManyTries(TransientError):
    """A password was guessed too often; nothing was compared.

    Args:
        seconds: after so many a try is evaluated again.
    """

    def __init__(self, seconds: int) -> None:
        super().__init__("The password was wrong too often. Wait before you try again.", seconds)
        self.seconds = seconds

    def __reduce__(self) -> tuple[type["TooManyTries"], tuple[int]]:
        """As it was made."""
        return type(self), (self.seconds,)


@dataclass(slots=True)
class Try:
    """One try that is being evaluated."""

    right: bool = False
    """To be set when the password was right: then it does not count."""
    wrong: bool = False
    """To be set when the password was wrong, before anything is raised: other errors end a try that was none."""


@contextmanager
def one_try(account: str, address: str | None) -> Iterator[Try]:
    """Evaluate one try in this block, if it may be evaluated now. It counts, unless it is right or was not evaluated.

    Args:
        account: of whom, as they call themselves; whether there is such an account makes no difference.
        address: from where; none: only the account's tries are counted.

    Raises:
        TooManyTries: it may not.
        RedisError: nobody can tell.
    """
    of, place = _digest(account), "" if address is None else _digest(network_of(address))
    with redis_of(get_settings()) as redis:
        counted = _begin(redis, of, place)
        tried = Try()
        try:
            yield tried
        except BaseException:
            if not tried.wrong:
                _end(redis, "undo", of, place, *counted)
            raise
        if tried.right:
            _end(redis, "end", of, place, *counted)


def know_address(account: str, address: str) -> None:
    """Take an address for one where this account's person is at home, as after a sign-in."""
    with redis_of(get_settings()) as redis:
        _end(redis, "end", _digest(account), _digest(network_of(address)))


def network_of(address: str) -> str:
    """What is counted as one address."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ip_network((found.packed, _NETWORK_6), strict=False))


def _begin(redis: "Redis", account: str, address: str) -> list[bytes]:
    times = (_milliseconds(time) for time in (FIRST_WAIT, LONGEST_WAIT, _REMEMBERED))
    counted: list[bytes]
    wait, *counted = redis.eval(_SCRIPT, 0, "begin", account, address, FREE, *times)
    if int(wait):
        raise TooManyTries(math.ceil(int(wait) / 1000))
    return counted


def _end(redis: "Redis", how: str, account: str, address: str, *counted: bytes) -> None:
    """What the try was for is done or has failed already: Redis changes nothing of that. Else it counts for a while."""
    try:
        redis.eval(_SCRIPT, 0, how, account, address, _milliseconds(_ADDRESS_KNOWN), *counted)
    except RedisError as error:
        log.warning("try_not_ended", how=how, error=type(error).__name__)


def _digest(text: str) -> str:
    """Of one length, and no name of a person in Redis."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _milliseconds(time: timedelta) -> int:
    return int(time / timedelta(milliseconds=1))
