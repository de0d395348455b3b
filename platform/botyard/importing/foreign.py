"""What stands for an object of a class, or for code, when nothing may be looked up."""

from dataclasses import dataclass, field
from typing import Any, Final

_LARGEST_KEY: Final = 1000


class UnfitPickle(Exception):
    """A pickle is broken, or asks for something that is not done."""


@dataclass(frozen=True, slots=True)
class Global:
    """A class or a function, by its name only.

    Args:
        module: where it is said to stand.
        name: as ``Cart``, or ``Cart.Item``.
    """

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}:{self.name}"


@dataclass(slots=True, eq=False)
class Foreign:
    """An object that was not made.

    Args:
        made_by: the class, or the function that would have made it.
        arguments: what that would have been given.
        states: what would have become its attributes.
        items: what would have been put into it by key.
        elements: what would have been appended to it.
        kind: its class, if ``made_by`` only names a way to make objects.
        base: what it is beside its attributes, if it extends one of Python's own types.
    """

    made_by: Global
    arguments: tuple[Any, ...]
    states: list[Any] = field(default_factory=list)
    items: list[tuple[Any, Any]] = field(default_factory=list)
    elements: list[Any] = field(default_factory=list)
    kind: Global | None = None
    base: Any = None

    @property
    def called(self) -> str:
        """What it is, for people and for the database."""
        return str(self.kind or self.made_by)


def as_hashable(value: Any) -> Any:
    """A value that may be a key. Tuples hash what they hold, each time and on the stack: they are measured before.

    Raises:
        UnfitPickle: it is too large, or no key.
    """
    if isinstance(value, tuple | frozenset):
        waiting: list[Any] = [value]
        seen = 0
        while waiting:
            seen += 1
            if seen > _LARGEST_KEY:
                raise UnfitPickle
            one = waiting.pop()
            if isinstance(one, tuple):
                waiting.extend(one)
    hash(value)
    return value
