"""Who acts: written beside every change and every event."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

_PLATFORM: Final = "botyard"
_actor: ContextVar[str] = ContextVar("actor", default=_PLATFORM)


def actor() -> str:
    """Who acts now: ``person:12``, ``cli:anna``, or ``botyard`` itself."""
    return _actor.get()


@contextmanager
def acting_as(name: str) -> Iterator[None]:
    """What is done in this block is done by them."""
    token = _actor.set(name)
    try:
        yield
    finally:
        _actor.reset(token)


def act_as(name: str) -> None:
    """From now on this process, or this task, is theirs."""
    _actor.set(name)
