"""JSON to keep, and JSON from outside that can be kept."""

from typing import Any

import orjson

DEEPEST = 100
"""Levels of JSON from outside. Inside a message inside an update, ``orjson`` writes 254 and reads many more."""


def pack(value: Any) -> bytes:
    """Return a value as JSON that takes no more memory than its length.

    ``orjson`` hands out buffers of 4 KiB and more, whatever is in them; kept by the hundred thousand they
    would fill the memory with nothing.
    """
    return bytes(memoryview(orjson.dumps(value)))


def unpack(data: bytes | str) -> Any:
    """Return the value of JSON from outside.

    Raises:
        ValueError: it is no JSON, or nested deeper than :data:`DEEPEST`, so that it could not be written again.
    """
    value = orjson.loads(data)
    raw = data.encode() if isinstance(data, str) else data
    if raw.count(b"{") + raw.count(b"[") > DEEPEST and _too_deep(value):
        raise ValueError(f"nested deeper than {DEEPEST} levels")
    return value


def _too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return False
    return True


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
