"""A run's memory as JSON and back: plain values, refused with the path of whatever is not."""

import math
from typing import Any

from botyard.errors import PermanentError
from botyard.telegram.run import Memory


class NotPlain(PermanentError):
    """A bot tried to remember a value that cannot be kept as JSON.

    Args:
        path: where it stands, as in ``user_data['cart'][0]``.
        type_name: what it is.
    """

    def __init__(self, path: str, type_name: str) -> None:
        super().__init__(path, type_name)
        self.path = path
        self.type_name = type_name

    def __str__(self) -> str:
        return (
            f"{self.path} is a {self.type_name}, which cannot be kept. "
            "Keep strings, numbers, booleans, None, lists and dictionaries with string keys."
        )


def dump(memory: Memory, name: str) -> dict[str, Any]:
    """What is to be stored; empty for an empty memory.

    Raises:
        NotPlain: something in it is not plain.
    """
    stored: dict[str, Any] = {}
    if memory.data:
        stored["data"] = _plain(memory.data, name)
    talks = {
        handler: [[list(key), _plain(state, f"state of {handler}")] for key, state in states.items()]
        for handler, states in memory.talks.items()
        if states
    }
    if talks:
        stored["talks"] = talks
    return stored


def load(stored: dict[str, Any]) -> Memory:
    """The memory that ``dump`` stored."""
    talks = {
        handler: {tuple(key): state for key, state in states} for handler, states in stored.get("talks", {}).items()
    }
    return Memory(data=stored.get("data", {}), talks=talks)


def _plain(value: Any, path: str) -> Any:
    kind = type(value)
    if kind is float and not math.isfinite(value):
        raise NotPlain(path, f"number that is {value}")
    if value is None or kind in (bool, int, float, str):
        return value
    if kind is list:
        return [_plain(item, f"{path}[{index}]") for index, item in enumerate(value)]
    if kind is dict:
        for key in value:
            if type(key) is not str:
                raise NotPlain(f"the key {key!r} of {path}", type(key).__name__)
        return {key: _plain(item, f"{path}[{key!r}]") for key, item in value.items()}
    raise NotPlain(path, kind.__name__)
