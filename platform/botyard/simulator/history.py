"""The record of all that happened: updates made, delivery attempts, calls received.

Events are kept as finished JSON: a long load run must stay small in memory and cheap for the collector.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from botyard.simulator.packing import pack

KEPT = 500_000
"""How many events are remembered."""
BYTES_KEPT = 512 << 20
"""How many bytes they may have together."""
TRIMMED_AT_ONCE = KEPT // 10
"""How many are forgotten together at most."""
LONG_CALL = 64 << 10
"""Bytes of a call beyond which its long parameters are cut: a refused one may be as long as a request can be."""
KEPT_OF_PARAMETER = 4 << 10
"""What is kept of each then, in characters."""
PARAMETERS_KEPT = 100


class History:
    """A numbered list of events; the oldest are forgotten in blocks.

    Args:
        limit: bytes that are kept in all, beside :data:`KEPT` events.
    """

    def __init__(self, limit: int = BYTES_KEPT) -> None:
        self._events: list[bytes] = []
        self._first = 1
        self._limit = limit
        self._bytes = 0

    def add(self, kind: str, event: dict[str, Any]) -> None:
        """Append one event; it gets the next ``seq``."""
        if len(self._events) >= KEPT or self._bytes > self._limit:
            self._trim()
        event["seq"] = self._first + len(self._events)
        event["kind"] = kind
        packed = pack(event)
        if len(packed) > LONG_CALL and "params" in event:
            packed = pack(event | {"params": _cut(event["params"])})
        self._events.append(packed)
        self._bytes += len(packed)

    def page(self, after: int, limit: int) -> bytes:
        """Return one page as JSON.

        Args:
            after: events with a higher ``seq`` are wanted.
            limit: at most so many.

        Returns:
            ``{"events": [...], "next": seq}``, where ``next`` is the ``after`` of the next page.
        """
        start = max(after + 1 - self._first, 0)
        found = self._events[start : start + limit]
        last = self._first + start + len(found) - 1 if found else max(after, 0)
        return b'{"events":[' + b",".join(found) + b'],"next":' + str(last).encode() + b"}"

    def newest(self, limit: int) -> Iterator[bytes]:
        """Return the newest events as JSON, the newest first, at most so many."""
        return islice(reversed(self._events), limit)

    def updates(self, bot_id: int, after: int, limit: int) -> list[bytes]:
        """Return the events of updates made for a bot as JSON, the oldest first.

        Args:
            bot_id: whose.
            after: events with a higher ``seq`` are wanted.
            limit: at most so many.
        """
        start = max(after + 1 - self._first, 0)
        # Events are bytes with their fields in the order in which they were added: nothing has to be parsed.
        begin = b'{"bot_id":%d,' % bot_id
        found = (
            event
            for event in islice(self._events, start, None)
            if event.startswith(begin) and event.endswith(b'"kind":"update"}')
        )
        return list(islice(found, max(limit, 0)))

    def __len__(self) -> int:
        """Return how many events are remembered."""
        return len(self._events)

    def reset(self) -> None:
        """Forget all events. Numbers go on, so a reader's place stays valid."""
        self._first += len(self._events)
        self._events.clear()
        self._bytes = 0

    def _trim(self) -> None:
        """Forget a tenth of the events, or more until there is room again."""
        while self._events and (len(self._events) >= KEPT or self._bytes > self._limit):
            count = min(len(self._events) // 10 + 1, TRIMMED_AT_ONCE)
            self._bytes -= sum(map(len, self._events[:count]))
            del self._events[:count]
            self._first += count


def _cut(params: dict[str, Any]) -> dict[str, Any]:
    """Return the first parameters of a call, the long ones as the beginning of their text."""
    kept: dict[str, Any] = {}
    for name, value in islice(params.items(), PARAMETERS_KEPT):
        text = value if isinstance(value, str) else pack(value).decode()
        kept[name[:KEPT_OF_PARAMETER]] = f"{text[:KEPT_OF_PARAMETER]}…" if len(text) > KEPT_OF_PARAMETER else value
    return kept
