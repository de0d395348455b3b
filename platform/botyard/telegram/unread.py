"""The message that a handler gets for what it sent, made only if somebody looks at it.

Making one takes python-telegram-bot 119 attributes, a tenth of what an update costs; most handlers pass it by.
"""

import threading
from collections.abc import Callable
from typing import Any, Final

from telegram import Message

from botyard.state.values import BY_TYPE

_LAST: Final = "_frozen"
_CLASSES: Final[tuple[Any, ...]] = Message.__mro__[:-1]
_SLOTS: Final = [*(name for base in _CLASSES for name in base.__slots__ if name != _LAST), _LAST]
# Handlers may hand it to threads. It is held for the making of one message.
_making = threading.RLock()


class _Unread(Message):
    """A message until the first look at it: none of its slots is filled, so whatever is asked for comes here."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)  # somebody asks what Python itself would know
        return getattr(_made(self), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(_made(self), name, value)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _made(self).__reduce_ex__(protocol)


def unread(make: Callable[[], Message]) -> Message:
    """A message that is made when somebody looks at it.

    Args:
        make: makes it, as it is to be.
    """
    message = _Unread.__new__(_Unread)
    # Something true stands here in every finished message, and says that it cannot be changed.
    object.__setattr__(message, _LAST, make)
    return message


def _made(message: Message) -> Message:
    with _making:
        if isinstance(message, _Unread):
            whole = object.__getattribute__(message, _LAST)()
            for name in _SLOTS:
                object.__setattr__(message, name, getattr(whole, name))
            # It has the same slots, so it can become what it stands for.
            object.__setattr__(message, "__class__", Message)
    return message


# What handlers keep is told by its type.
BY_TYPE[_Unread] = lambda to, value, depth: to.encode(_made(value), depth)
