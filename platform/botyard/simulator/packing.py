"""JSON to keep."""

from typing import Any

import orjson


def pack(value: Any) -> bytes:
    """Return a value as JSON that takes no more memory than its length.

    ``orjson`` hands out buffers of 4 KiB and more, whatever is in them; kept by the hundred thousand they
    would fill the memory with nothing.
    """
    return bytes(memoryview(orjson.dumps(value)))
