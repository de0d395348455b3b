"""The record of all that happened: updates made, delivery attempts, calls received.

Events are kept as finished JSON: a long load run must stay small in memory and cheap for the collector.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from botyard.simulator.packing import pack

KEPT = 500_000
"""How many events are remembered."""
TRIMMED_AT_ONCE = 50_000


class History:
    """A numbered list of events; the oldest are forgotten in blocks beyond :data:`KEPT`."""

    def __init__(self) -> None:
        self._events: list[bytes] = []
        self._first = 1

    def add(self, kind: str, event: dict[str, Any]) -> None:
        """Append one event; it gets the next ``seq``."""
        if len(self._events) >= KEPT:
            del self._events[:TRIMMED_AT_ONCE]
            self._first += TRIMMED_AT_ONCE
        event["seq"] = self._first + len(self._events)
        event["kind"] = kind
        self._events.append(pack(event))

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
