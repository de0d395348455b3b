"""What people may do for a customer."""

from enum import IntEnum
from typing import Self

from botyard.errors import InputError


class Role(IntEnum):
    """Each may do what those below it may, and more."""

    VIEWER = 1
    """Looks."""
    OPERATOR = 2
    """Also answers people, and makes bots wait or go on."""
    MANAGER = 3
    """Also adds bots, and changes their tokens and settings."""
    OWNER = 4
    """Also decides who else may act for the customer."""

    @classmethod
    def named(cls, name: str) -> Self:
        """The role of this name.

        Raises:
            InputError: there is none.
        """
        try:
            return cls[name.upper()]
        except KeyError:
            known = ", ".join(str(role) for role in reversed(cls))
            raise InputError("role", f"{name!r} is no role.", f"Choose one of: {known}.") from None

    def __str__(self) -> str:
        return self.name.lower()
