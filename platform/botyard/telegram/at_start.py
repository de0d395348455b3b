"""What a bot's author puts into ``bot_data`` while the application is built or begins.

It is there in every run, as it is in a process of its own. What handlers change of it is remembered and wins; what
cannot be remembered, such as the client of another service, is shared by all runs of its process.
"""

from typing import Any

import orjson

from botyard.state.codec import Codec
from botyard.state.memory import Memory
from botyard.state.refusal import NotKept


class AtStart:
    """The ``bot_data`` with which an application began.

    Args:
        codec: of its application.
        data: what its author left there: a dictionary, or an object of a class of the bot's own.
    """

    def __init__(self, codec: Codec, data: Any) -> None:
        self._codec = codec
        self._kept: dict[Any, bytes] = {}
        self._shared: dict[Any, Any] = {}
        self._whole: bytes | None = None
        if type(data) is not dict:
            self._whole = self._written(data)
            return
        for key, value in data.items():
            try:
                self._kept[key] = self._written(value)
            except NotKept:
                self._shared[key] = value

    def under(self, data: Any) -> Any:
        """What a run finds: this, and over it what is remembered.

        Args:
            data: what is remembered; an empty dictionary: nothing.
        """
        if self._whole is not None:
            return data if type(data) is not dict or data else self._read(self._whole)
        if not self._kept and not self._shared:
            return data
        fresh = {key: self._read(stored) for key, stored in self._kept.items() if key not in data}
        return {**fresh, **self._shared, **data}

    def without(self, data: Any) -> Any:
        """What is to be remembered of what a run left: not what it found here and did not change."""
        if self._whole is not None:
            return {} if self._written(data) == self._whole else data
        if type(data) is not dict or not (self._kept or self._shared):
            return data
        return {key: value for key, value in data.items() if not self._is_as_found(key, value)}

    def _is_as_found(self, key: Any, value: Any) -> bool:
        if key in self._shared:
            return value is self._shared[key]
        return key in self._kept and self._written(value) == self._kept[key]

    def _written(self, value: Any) -> bytes:
        # As bytes, which share nothing with what handlers may change.
        return orjson.dumps(self._codec.dump(Memory([value]), "bot_data"))

    def _read(self, written: bytes) -> Any:
        return self._codec.load(orjson.loads(written)).data[0]
