"""Messages that no code of ours has sent: refused, counted, and of no effect. See docs/secrets.md.

Whoever can write to the broker can put anything into a queue. Celery itself refuses what is not JSON and what names no
task; what it does not expect would end the worker.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import Any, Final

import structlog
from celery.worker.consumer.consumer import Consumer
from kombu.exceptions import ContentDisallowed, DecodeError
from kombu.transport import redis as broker
from kombu.transport import virtual
from redis import ConnectionError as RedisConnectionError
from redis import Redis
from redis.exceptions import RedisError

from botyard.settings import get_settings
from botyard.telemetry import metrics

log = structlog.get_logger(__name__)

_OURS: Final = "botyard."
# By its name: who asks a worker how it is, as Flower does, gets its connection's description as JSON.
_TRANSPORT: Final = f"{__name__}:Transport"
# Workers listen for as long as nothing comes, and what they tell each other and Flower need not be confirmed.
_LISTENING: Final = {"confirm_publish": False, "max_retries": None, "read_timeout": None, "write_timeout": None}
_TELL_SECONDS: Final = 0.5
_PAUSES: Final = {"interval_start": 0.5, "interval_step": 0.5, "interval_max": 3}
"""Seconds between attempts to reach the broker."""
_CLOSED: Final = "The connection to the broker is closed."
# Longer than any task of ours.
_LONGEST: Final = 600
_MALFORMED: Final = (
    DecodeError, ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError,
)  # fmt: skip


def _how() -> dict[str, Any]:
    return {"transport": _TRANSPORT} if get_settings().broker_url is None else {"transport_options": _LISTENING}


def refuse(why: str) -> None:
    """Count a message, and say that it was refused; nothing of it is repeated."""
    log.warning("message_refused", why=why)
    metrics.REFUSED.inc(why=why)
    # The parent of children has no clock that would hand the figures on.
    with (
        contextlib.suppress(RedisError),
        Redis.from_url(get_settings().require("redis_url"), socket_timeout=2, socket_connect_timeout=2) as redis,
    ):
        metrics.flush(redis)


def why_not_ours(message: Any) -> str | None:
    """What shows that no code of ours has sent this message; nothing if it may be ours.

    Strict on purpose: some of what Celery would take ends or blocks its worker.

    Raises:
        ContentDisallowed: it is not JSON.
    """
    headers = message.headers
    if not isinstance(headers, dict) or not headers.get("task"):
        return "no task"
    if not str(headers["task"]).startswith(_OURS):
        return "unknown task"
    args, kwargs, embedded = message.payload
    expires = headers.get("expires")
    if expires is not None:
        datetime.fromisoformat(expires)
    fits = isinstance(args, list) and isinstance(kwargs, dict) and isinstance(embedded, dict)
    plain = not any(embedded.values()) and not any(headers.get(name) for name in ("eta", "retries"))
    named = isinstance(headers.get("id"), str) and _may_last(headers.get("timelimit"))
    return None if fits and plain and named else "malformed"


def _may_last(limits: Any) -> bool:
    """Whether these are time limits: none, or a pair of seconds."""
    if limits is None:
        return True
    known = isinstance(limits, list) and len(limits) == len(("hard", "soft"))
    return known and all(one is None or (type(one) is int and 0 < one <= _LONGEST) for one in limits)


class InHand(virtual.QoS):
    """The messages that a worker has in hand."""

    def restore_unacked(self) -> Any:
        """Give them back; those that Redis does not take are left to the sweeps, and not to a file as Kombu would."""
        lost: Any = super().restore_unacked()
        if lost:
            log.warning("messages_lost", count=len(lost))
        return []


class Channel(broker.Channel):
    """Takes messages from Redis, and survives what is none."""

    _caller: Any = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.QoS: Any = InHand

    @contextlib.contextmanager
    def conn_or_acquire(self, client: Redis | None = None) -> Iterator[Redis]:
        """A client for one command. Kombu makes one each time, which takes longer than the command."""
        if client is None and (self._caller is None or self._caller.connection_pool is not self.pool):
            self._caller = self._create_client()  # type: ignore[attr-defined]
        yield client or self._caller

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[misc]
        except _MALFORMED:
            # It is out of its list already, and nothing else knows of it.
            refuse("unreadable")
            return True

    def _connparams(self, *args: Any, **kwargs: Any) -> Any:
        if self.connection.client is None:
            # Closed because it was lost, with messages in hand. What Kombu raises here, Celery does not expect.
            raise RedisConnectionError(_CLOSED)
        return super()._connparams(*args, **kwargs)  # type: ignore[misc]


class Transport(broker.Transport):
    """Redis as Celery's broker, with such channels."""

    Channel = Channel


class YardConsumer(Consumer):
    """Hands messages to tasks, and drops what no task can take."""

    _tells_at = 0.0

    def on_send_event_buffered(self) -> Any:
        """Flower is told of tasks twice a second, or by two dozen events: of each at once costs as much as the task."""
        now = time.monotonic()
        # By the time, not by a mark: with its connection a worker loses what it was to do later.
        if now >= self._tells_at:
            self._tells_at = now + _TELL_SECONDS
            self.hub.call_later(_TELL_SECONDS, self._flush_events)  # type: ignore[attr-defined]

    def ensure_connected(self, conn: Any) -> Any:
        """A connection, as soon as there can be one: Celery's own pauses grow to half a minute."""
        conn.ensure_connection = partial(conn.ensure_connection, **_PAUSES)
        return super().ensure_connected(conn)

    def connection_for_read(self, heartbeat: Any = None) -> Any:
        """The connection from which messages come."""
        return self.ensure_connected(self.app.connection_for_read(heartbeat=heartbeat, **_how()))

    def connection_for_write(self, url: Any = None, heartbeat: Any = None) -> Any:
        """The connection on which the worker says how it is."""
        return self.ensure_connected(self.app.connection_for_write(url=url, heartbeat=heartbeat, **_how()))

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Any], None]:
        """What is called with each message."""
        take = super().create_task_handler(*args, **kwargs)

        def take_or_drop(message: Any) -> None:
            try:
                why = why_not_ours(message)
                if why is None:
                    take(message)
                    return
            except ContentDisallowed:
                why = "not JSON"
            except _MALFORMED:
                why = "malformed"
            self._drop(message, why)

        return take_or_drop

    def on_unknown_task(self, body: Any, message: Any, exc: Exception) -> None:  # noqa: ARG002 - as Celery calls it
        """It names a task that is not there."""
        self._drop(message, "unknown task")

    def on_invalid_task(self, body: Any, message: Any, exc: Exception) -> None:  # noqa: ARG002
        """It has an impossible form."""
        self._drop(message, "malformed")

    def _drop(self, message: Any, why: str) -> None:
        refuse(why)
        message.reject_log_error(log, self.connection_errors)  # type: ignore[attr-defined]
