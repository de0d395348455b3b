"""The thread that hears what other processes tell, over Redis pub/sub.

Source: https://redis.io/docs/latest/develop/pubsub/
"""

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any, Final

import structlog
from redis import Redis
from redis.client import PubSub
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

_LOOK_SECONDS: Final = 0.25
_PING_SECONDS: Final = 3.0
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0


class Listener:
    """Hears every event, and keeps coming back when the connection is lost.

    Args:
        redis: whose server.
        channel: how the channels begin; what follows is the event's name.
        wanted: says for which events, or prefixes that end with ``*``, it is to listen; asked again and again.
        hear: takes each event's name and body.
        joined: called whenever it begins to listen to something, before any of that is heard.
        regularly: called a few times a second.
    """

    def __init__(
        self,
        redis: "Redis",
        channel: str,
        wanted: Callable[[], set[str]],
        hear: Callable[[str, bytes], None],
        joined: Callable[[], None],
        regularly: Callable[[], None],
    ) -> None:
        self._redis = redis
        self._channel = channel
        self._wanted = wanted
        self._hear = hear
        self._joined = joined
        self._regularly = regularly
        self._unconfirmed = 0
        self._was_lost = False
        self._stopped = threading.Event()
        self._listening = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_listening(self) -> bool:
        """Whether the connection stands."""
        return self._listening.is_set()

    def start(self) -> None:
        """Begin, once."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="sync", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(timeout=2 * _LOOK_SECONDS)

    def _run(self) -> None:
        pause = _FIRST_PAUSE
        while not self._stopped.is_set():
            try:
                with contextlib.closing(self._redis.pubsub()) as pubsub:  # type: ignore[no-untyped-call]
                    self._listen(pubsub)
            except (RedisError, OSError) as error:
                if self._listening.is_set() or pause == _FIRST_PAUSE:
                    log.warning("sync_alone", error=type(error).__name__)
                    self._was_lost = True
                    pause = _FIRST_PAUSE
            except Exception:  # the edge of the thread: without it the process would never hear anything again
                log.exception("sync_broke")
            self._listening.clear()
            self._stopped.wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _listen(self, pubsub: PubSub) -> None:
        """Until the connection is lost. A server that is silent is asked: a dead line would never say so itself."""
        called_at, asked_at, answered_at = 0.0, 0.0, time.monotonic()
        subscribed: set[str] = set()
        self._unconfirmed = 0
        while not self._stopped.is_set():
            subscribed = self._subscribe(pubsub, subscribed)
            message: dict[str, Any] | None = pubsub.get_message(timeout=_LOOK_SECONDS)
            now = time.monotonic()
            if now - called_at > _LOOK_SECONDS:
                self._regularly()
                called_at = now
            if message is not None:
                answered_at = now
                self._take(message)
                continue
            if asked_at > answered_at and now - asked_at > _PING_SECONDS:
                raise RedisConnectionError("it does not answer")
            if now - answered_at > _PING_SECONDS and asked_at <= answered_at:
                pubsub.ping()
                asked_at = now

    def _subscribe(self, pubsub: PubSub, subscribed: set[str]) -> set[str]:
        wanted = self._wanted()
        if new := wanted - subscribed:
            pubsub.psubscribe(*(self._channel + event for event in new))
            self._unconfirmed += len(new)
        if old := subscribed - wanted:
            pubsub.punsubscribe(*(self._channel + event for event in old))  # type: ignore[no-untyped-call]
        return wanted

    def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "psubscribe":
            self._unconfirmed -= 1
            if self._unconfirmed:
                return
            if self._was_lost and not self._listening.is_set():
                log.info("sync_listens_again")
            self._listening.set()
            # Also for what is listened to from now on only: nobody knows what was said of it until now.
            self._joined()
        elif message["type"] == "pmessage":
            channel: bytes = message["channel"]
            self._hear(channel.decode(errors="replace").removeprefix(self._channel), message["data"])
