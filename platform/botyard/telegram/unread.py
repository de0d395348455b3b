"""The message that a handler gets for what it sent, made only if the handler looks at it.

Making one takes python-telegram-bot 119 attributes, a tenth of what an update costs; most handlers pass it by.
"""

from collections.abc import Callable
from typing import Any

from telegram import Message


class _Unread(Message):
    """A message until the first look at it: none of its slots is filled, so whatever is asked for comes here."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)  # somebody asks what Python itself would know
        return getattr(self._made(), name)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self._made().__reduce_ex__(protocol)

    def _made(self) -> Message:
        fill = object.__getattribute__(self, "_frozen")
        # It has the same slots, so it can become what it stands for.
        self.__class__ = Message  # type: ignore[assignment]
        fill(self)
        return self


def unread(fill: Callable[[Message], None]) -> Message:
    """A message that is made when somebody looks at it.

    Args:
        fill: makes it, given what is to become one: calls ``Message.__init__`` with it.
    """
    message = _Unread.__new__(_Unread)
    # Something true stands here in every finished message, and says that it cannot be changed.
    object.__setattr__(message, "_frozen", fill)
    return message
