"""Events from process to process, and the caches that they empty. See docs/sync.md.

Source of the names: the service that this one replaces (``publish``, ``on``, ``setCache``, ``getCache``,
``invalidateCache``), channels ``sync:<event>``.
"""

import os
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, Protocol, TypeVar

import orjson
import structlog
from redis import Redis
from redis.exceptions import RedisError

from botyard.settings import get_settings
from botyard.sync.cache import Cache
from botyard.sync.errors import NotAnId
from botyard.sync.listening import Listener
from botyard.telemetry import metrics

log = structlog.get_logger(__name__)

T = TypeVar("T")
Data = Mapping[str, int | str | None]
"""Ids and versions by name, never contents: who hears of it reads the rest where rights are checked."""
Handler = Callable[[str, Data], None]

CHANNEL: Final = "sync:"
RESYNC: Final = "resync"
"""The event that says: more was missed than can be told, forget everything."""
_NAME: Final = re.compile(r"[a-z_]+(\.[a-z_]+)*")
_LONGEST_ID: Final = 64
_CACHED: Final = 50_000
_UNSENT: Final = 1000
_CONNECT_SECONDS: Final = 2
_REST_SECONDS: Final = 1.0


class Publisher(Protocol):
    """Where events go after the commit: Redis here; an exchange of a message broker would do as well."""

    def publish(self, event: str, data: Data) -> None:
        """Tell it, sooner or later, to whoever listens; never raises because nobody can be reached."""


class SyncService:
    """Tells events to this process at once and to all others over Redis, and keeps a cache that they may empty.

    Without Redis it works for this process alone and says so (`is_watching`). What could not be told is told when the
    connection is back; if that was too much, everybody is told to forget everything. A process that listens empties its
    cache whenever its connection is new, for nobody knows what it has not heard.

    Args:
        redis: a client whose connections may be used from any thread; none: this process is alone.
        cached: how many values the cache holds at most.
    """

    def __init__(self, redis: "Redis | None", cached: int = _CACHED) -> None:
        self._redis = redis
        self._cache = Cache(cached)
        self._handlers: dict[str, list[Handler]] = {}
        self._unsent: deque[tuple[str, bytes]] = deque(maxlen=_UNSENT)
        self._overflown = False
        self._rest_until = 0.0
        self._sending = threading.Lock()
        self._me = f"{os.getpid()}-{os.urandom(4).hex()}"
        calls = (self._wanted, self._hear, self._joined, self._tell)
        self._listener = None if redis is None else Listener(redis, CHANNEL, *calls)

    @property
    def is_watching(self) -> bool:
        """Whether this process hears what others tell."""
        return self._listener is not None and self._listener.is_listening

    def start(self) -> None:
        """Listen, in a thread of its own. Begin after a fork, not before."""
        if self._listener is not None:
            self._listener.start()

    def stop(self) -> None:
        """Listen no longer."""
        if self._listener is not None:
            self._listener.stop()

    def publish(self, event: str, data: Data) -> None:
        """Tell an event: handlers of this process run now, those of others in a moment.

        Call it after the commit of what it tells of; `db.changes` does so for everything that goes through a session.

        Args:
            event: such as ``bots.updated``.
            data: ids and versions.

        Raises:
            NotAnId: it carries contents, or its name is none.
        """
        _check(event, data)
        self._run_handlers(event, data)
        if self._redis is None:
            return
        self._overflown = self._overflown or len(self._unsent) == _UNSENT
        self._unsent.append((event, self._told(data)))
        self._tell()

    def on(self, event: str, handler: Handler) -> Callable[[], None]:
        """Call a handler at each such event, of this process or another.

        It is called in the thread that publishes or listens: it must be quick, and safe to call from any thread.

        Args:
            event: its name; ``bots.*`` for all that begin with ``bots.``; ``*`` for all.
            handler: takes the event's name and data.

        Returns:
            What ends this.
        """
        handlers = self._handlers.setdefault(event, [])
        handlers.append(handler)
        return lambda: handlers.remove(handler)

    def set_cache(self, key: str, value: Any, ttl: float, since: int | None = None) -> bool:
        """Keep a value for ``ttl`` seconds; see `Cache.set`."""
        return self._cache.set(key, value, ttl, since)

    def get_cache(self, key: str, default: Any = None) -> Any:
        """The value that is kept under this key."""
        return self._cache.get(key, default)

    def mark(self) -> int:
        """Take it before reading what `set_cache` is to keep; see `Cache.mark`."""
        return self._cache.mark()

    def load(self, key: str, ttl: float, read: Callable[[], T]) -> T:
        """The value of this key, read now if it is not at hand; see `Cache.load`."""
        return self._cache.load(key, ttl, read)

    def invalidate_cache(self, key_or_prefix: str) -> int:
        """Drop a key of this process' cache, or a prefix that ends with ``*``; how many values that were."""
        return self._cache.invalidate(key_or_prefix)

    def _wanted(self) -> set[str]:
        """What somebody here wants to hear: a process need not wake for what concerns others.

        Nothing twice: of two patterns that an event fits, Redis would deliver it for each.
        """
        wanted = {RESYNC, *self._handlers}
        prefixes = [pattern for pattern in wanted if pattern.endswith("*")]
        return {one for one in wanted if not any(one != wide and one.startswith(wide[:-1]) for wide in prefixes)}

    def _run_handlers(self, event: str, data: Data) -> None:
        for pattern, handlers in list(self._handlers.items()):
            if pattern == event or (pattern.endswith("*") and event.startswith(pattern[:-1])):
                for handler in list(handlers):
                    try:
                        handler(event, data)
                    except (
                        Exception
                    ):  # the edge between those who tell and those who listen: one's trouble is not another's
                        log.exception("sync_handler_failed", sync_event=event)

    def _tell(self) -> None:
        """Tell what was not told yet, in its order. Whoever does so already tells this, too."""
        while self._unsent and time.monotonic() >= self._rest_until and self._sending.acquire(blocking=False):
            try:
                self._tell_next()
            except RedisError as error:
                # Those who publish must not each wait for a server that is away.
                self._rest_until = time.monotonic() + _REST_SECONDS
                log.warning("sync_not_told", error=type(error).__name__, waiting=len(self._unsent))
            finally:
                self._sending.release()

    def _tell_next(self) -> None:
        assert self._redis is not None  # noqa: S101 - the callers looked
        if self._overflown:
            # Before it is told: what comes meanwhile is told by itself.
            self._unsent.clear()
            self._overflown = False
            try:
                self._redis.publish(CHANNEL + RESYNC, self._told({}))
            except RedisError:
                self._overflown = True
                self._unsent.append((RESYNC, self._told({})))
                raise
        else:
            event, told = self._unsent[0]
            self._redis.publish(CHANNEL + event, told)
            self._unsent.popleft()
        metrics.SYNC_EVENTS.inc(way="told")

    def _told(self, data: Data) -> bytes:
        return orjson.dumps({"from": self._me, "data": dict(data)})

    def _hear(self, event: str, body: bytes) -> None:
        """Another process told something; what this one told itself it has heard already."""
        try:
            told = orjson.loads(body)
            sender, data = told["from"], told["data"]
            _check(event, data)
        except (ValueError, TypeError, KeyError, NotAnId):
            log.warning("sync_event_refused", channel=CHANNEL + event[:_LONGEST_ID])
            return
        if sender == self._me:
            return
        metrics.SYNC_EVENTS.inc(way="heard")
        if event == RESYNC:
            self._cache.invalidate("*")
        self._run_handlers(event, data)

    def _joined(self) -> None:
        """The connection is new: what was told meanwhile is not known here, and what was not told can be."""
        self._cache.invalidate("*")
        self._run_handlers(RESYNC, {})
        self._rest_until = 0.0
        self._tell()


def _check(event: str, data: Any) -> None:
    if not _NAME.fullmatch(event):
        raise NotAnId(event[:_LONGEST_ID], "the name")
    if not isinstance(data, Mapping):
        raise NotAnId(event, "the data")
    for name, value in data.items():
        is_id = value is None or isinstance(value, int) or (isinstance(value, str) and len(value) <= _LONGEST_ID)
        if not is_id or not isinstance(name, str):
            raise NotAnId(event, str(name)[:_LONGEST_ID])


@lru_cache(maxsize=1)
def get_sync() -> SyncService:
    """This process' service, made at the first call; it listens once somebody starts it."""
    url = get_settings().redis_url
    if url is None:
        return SyncService(None)
    wait = {"socket_timeout": _CONNECT_SECONDS, "socket_connect_timeout": _CONNECT_SECONDS}
    return SyncService(Redis.from_url(url.get_secret_value(), **wait))


# A child has none of its parent's threads, and must not share its connections.
os.register_at_fork(after_in_child=get_sync.cache_clear)
