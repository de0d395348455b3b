"""Reading parameters: from JSON with its types, from forms where everything is a string."""

import math
import re
from collections.abc import Mapping
from typing import Any

from botyard.simulator.errors import ApiError, bad_request
from botyard.simulator.packing import unpack

INTEGER = re.compile(r"-?\d{1,19}", re.ASCII)
INTEGER_LIMIT = 1 << 63
"""Integers of the Bot API have 64 bits, and no larger ones can be written as JSON."""
BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": False}


def wrong_type(name: str, expected: str) -> ApiError:
    """Return the refusal of a parameter of the wrong type."""
    return bad_request(f'parameter "{name}" must be {expected}')


def required(name: str) -> ApiError:
    """Return the refusal of a call without a parameter it needs."""
    return bad_request(f'parameter "{name}" is required')


class Params:
    """The parameters of one call, read with a type.

    ``None`` counts as absent, as Telegram has it. Each reader raises
    :class:`~botyard.simulator.errors.ApiError` with code 400 for a value of the wrong type.

    Args:
        values: by name; strings may stand for numbers, booleans and JSON, as forms send them.
    """

    __slots__ = ("values",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values

    def has(self, name: str) -> bool:
        """Tell whether a parameter was given."""
        return self.values.get(name) is not None

    def text(self, name: str, default: str = "") -> str:
        """Return a string."""
        value = self.values.get(name)
        if value is None:
            return default
        if not isinstance(value, str):
            raise wrong_type(name, "a string")
        return value

    def integer(self, name: str, default: int | None = None) -> int:
        """Return an integer; without a default it is required."""
        value = self.values.get(name)
        if value is None:
            if default is None:
                raise required(name)
            return default
        if isinstance(value, str) and INTEGER.fullmatch(value):
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and -INTEGER_LIMIT <= value < INTEGER_LIMIT:
            return value
        raise wrong_type(name, "an integer")

    def number(self, name: str, default: float) -> float:
        """Return a number."""
        value = self.values.get(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise wrong_type(name, "a number")
        try:
            number = float(value)
        except (ValueError, OverflowError):
            raise wrong_type(name, "a number") from None
        if not math.isfinite(number):
            raise wrong_type(name, "a finite number")
        return number

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a boolean."""
        value = self.values.get(name)
        if value is None:
            return default
        if isinstance(value, bool):
            return value
        known = BOOLEANS.get(str(value).lower()) if isinstance(value, (str, int)) else None
        if known is None:
            raise wrong_type(name, "a boolean")
        return known

    def dictionary(self, name: str) -> dict[str, Any] | None:
        """Return an object, from JSON or from a string of JSON."""
        value = self._nested(name)
        if value is not None and not isinstance(value, dict):
            raise bad_request(f"object expected as {name.replace('_', ' ')}")
        return value

    def items(self, name: str) -> list[Any] | None:
        """Return a list, from JSON or from a string of JSON."""
        value = self._nested(name)
        if value is not None and not isinstance(value, list):
            raise bad_request(f"array expected as {name.replace('_', ' ')}")
        return value

    def _nested(self, name: str) -> Any:
        value = self.values.get(name)
        if not isinstance(value, str):
            return value
        if not value:
            return None
        try:
            return unpack(value)
        except ValueError:
            raise bad_request(f"can't parse {name} JSON object") from None
