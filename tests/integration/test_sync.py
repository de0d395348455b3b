import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from redis import Redis

from botyard.embedded import ValkeyServer, free_port
from botyard.sync import service as sync_module
from botyard.sync.service import Data, SyncService
from tests.services import PASSWORD, Services, serving

SECONDS = 15.0


def wait_until(found: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not found():
        assert time.monotonic() < deadline, what
        time.sleep(0.005)


@contextmanager
def process_of(url: str, prepare: Callable[[SyncService], object] = lambda _: None) -> Iterator[SyncService]:
    """What one process has: a service that listens to what was prepared."""
    sync = SyncService(Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2))
    prepare(sync)
    sync.start()
    try:
        wait_until(lambda: sync.is_watching, "it listens")
        yield sync
    finally:
        sync.stop()


def everything(sync: SyncService) -> None:
    sync.on("*", lambda *_: None)


@pytest.fixture
def here(clean: Services) -> Iterator[SyncService]:
    with process_of(clean.redis_url, everything) as sync:
        yield sync


@pytest.fixture
def there(clean: Services) -> Iterator[SyncService]:
    with process_of(clean.redis_url, everything) as sync:
        yield sync


def test_whoever_begins_to_listen_to_something_later_knows_that_much_was_said_before(clean: Services) -> None:
    with process_of(clean.redis_url) as sync:
        sync.set_cache("bot:1", "old", 300)
        sync.on("bots.*", lambda *_: None)
        wait_until(lambda: sync.get_cache("bot:1") is None, "what it kept is forgotten")


def test_what_one_process_tells_another_hears_once_and_itself_once(here: SyncService, there: SyncService) -> None:
    heard: dict[str, list[tuple[str, Data]]] = {"here": [], "there": []}
    here.on("bots.*", lambda event, data: heard["here"].append((event, data)))
    there.on("bots.*", lambda event, data: heard["there"].append((event, data)))
    here.publish("bots.updated", {"id": 7, "version": 3})
    assert heard["here"] == [("bots.updated", {"id": 7, "version": 3})], "local handlers at once"
    here.publish("bots.deleted", {"id": 7})
    wait_until(lambda: len(heard["there"]) == 2, "the other hears")
    assert heard["there"] == [("bots.updated", {"id": 7, "version": 3}), ("bots.deleted", {"id": 7})]
    assert len(heard["here"]) == 2, "its own words do not come back"


def test_any_client_can_watch_the_channels_of_the_documentation(here: SyncService, clean: Services) -> None:
    with Redis.from_url(clean.redis_url) as redis, redis.pubsub() as pubsub:
        pubsub.psubscribe("sync:*")
        assert pubsub.get_message(timeout=5)
        here.publish("bots.updated", {"id": 7})
        message = pubsub.get_message(timeout=5)
    assert message["channel"] == b"sync:bots.updated"
    assert json.loads(message["data"])["data"] == {"id": 7}


def test_a_process_of_the_operating_system_hears_too(here: SyncService, clean: Services) -> None:
    code = """
import sys
from botyard.sync import get_sync
sync = get_sync()
sync.on("bots.*", lambda event, data: print(event, data["id"], flush=True))
sync.start()
sys.stdin.readline()
"""
    environment = {"REDIS_URL": clean.redis_url, "PATH": ""}
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        try:
            wait_until(lambda: len(here._redis.client_list("pubsub")) == 2, "both listen")  # type: ignore[union-attr]
            here.publish("bots.updated", {"id": 12})
            assert other.stdout is not None
            # Its logs are there, too.
            assert "bots.updated 12\n" in iter(other.stdout.readline, "")
        finally:
            other.kill()


def test_caches_are_emptied_when_a_lost_connection_comes_back(here: SyncService, there: SyncService) -> None:
    heard = list[str]()
    there.on("resync", lambda event, _: heard.append(event))
    assert there.set_cache("bot:1", "old", 300)
    here._redis.client_kill_filter(_type="pubsub")  # type: ignore[union-attr]
    wait_until(lambda: there.get_cache("bot:1") is None, "it forgets what it may have missed")
    wait_until(lambda: heard == ["resync"], "others are told, too")
    wait_until(lambda: there.is_watching, "it listens again")
    here.publish("bots.updated", {"id": 1})


def test_what_is_no_event_of_ours_is_refused_and_harms_nobody(here: SyncService, there: SyncService) -> None:
    heard = list[str]()
    there.on("*", lambda event, _: heard.append(event))
    redis = here._redis
    assert redis is not None
    for channel, body in (
        ("sync:bots.updated", b"\xff"), ("sync:bots.updated", b"[]"), ("sync:bots.updated", b'{"from": "x"}'),
        ("sync:bots.updated", b'{"from": "x", "data": {"text": {"a": 1}}}'),
        ("sync:bots.updated", b'{"from": 1, "data": 5}'),
        ("sync:Bad Name", b'{"from": "x", "data": {}}'), ("sync:", b'{"from": "x", "data": {}}'),
    ):  # fmt: skip
        redis.publish(channel, body)
    here.publish("bots.updated", {"id": 1})
    wait_until(lambda: heard == ["bots.updated"], "only the real one is heard")


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> ValkeyServer:
    return ValkeyServer(tmp_path_factory.mktemp("sync") / "valkey", free_port(), password=PASSWORD)


def test_without_redis_it_works_alone_and_catches_up_later(
    server: ValkeyServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    log = tmp_path_factory.mktemp("logs") / "valkey.log"
    heard: list[int] = []
    with serving(server, log), process_of(server.url, everything) as here, process_of(server.url, everything) as there:
        there.on("bots.*", lambda _, data: heard.append(int(data["id"] or 0)))
    # Both were told to stop with the server: two others take their place while it is away.
    here = SyncService(Redis.from_url(server.url, socket_timeout=2, socket_connect_timeout=2))
    there = SyncService(Redis.from_url(server.url, socket_timeout=2, socket_connect_timeout=2))
    there.on("bots.*", lambda _, data: heard.append(int(data["id"] or 0)))
    own: list[str] = []
    here.on("*", lambda event, _: own.append(event))
    here.start()
    there.start()
    try:
        here.publish("bots.updated", {"id": 1})
        assert own == ["bots.updated"], "it works for itself"
        assert not here.is_watching
        assert not there.is_watching
        here.set_cache("bot:1", "kept", 300)
        assert here.get_cache("bot:1") == "kept"
        with serving(server, log):
            wait_until(lambda: here.is_watching and there.is_watching, "both are back")
            here.publish("bots.updated", {"id": 2})
            wait_until(lambda: 2 in heard, "the other hears again")
            assert here.get_cache("bot:1") is None, "what it kept alone may be old"
    finally:
        here.stop()
        there.stop()


def test_more_than_can_be_told_later_becomes_forget_everything(
    server: ValkeyServer, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync_module, "_UNSENT", 3)
    log = tmp_path_factory.mktemp("logs") / "valkey.log"
    here = SyncService(Redis.from_url(server.url, socket_timeout=2, socket_connect_timeout=2))
    for number in range(5):
        here.publish("bots.updated", {"id": number})
    with serving(server, log), process_of(server.url, everything) as there:
        heard = list[str]()
        there.on("*", lambda event, _: heard.append(event))
        there.set_cache("bot:1", "old", 300)
        here.start()
        wait_until(lambda: "resync" in heard, "it is told to forget everything")
        wait_until(lambda: there.get_cache("bot:1") is None, "and does")
        here.stop()


def test_many_threads_tell_at_once_and_nothing_is_lost_or_doubled(here: SyncService, there: SyncService) -> None:
    heard = list[int]()
    there.on("bots.*", lambda _, data: heard.append(int(data["id"] or 0)))

    def tell(first: int) -> None:
        for number in range(first, first + 200):
            here.publish("bots.updated", {"id": number})

    threads = [threading.Thread(target=tell, args=(first * 1000,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_until(lambda: len(heard) >= 800, "all are heard")
    assert sorted(heard) == sorted(first * 1000 + number for first in range(4) for number in range(200))


def test_what_comes_while_everybody_is_told_to_forget_is_told_by_itself(
    clean: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync_module, "_UNSENT", 3)
    told = list[str]()
    redis = Redis.from_url(clean.redis_url)
    here = SyncService(redis)
    publish = redis.publish

    def meanwhile(channel: str, body: bytes) -> object:
        told.append(channel)
        if channel == "sync:resync":
            # Another thread commits before this one is back.
            here._unsent.append(("bots.updated", here._told({"id": 9})))
        return publish(channel, body)

    here._rest_until = time.monotonic() + 60
    for number in range(5):
        here.publish("bots.updated", {"id": number})
    here._rest_until = 0.0
    monkeypatch.setattr(redis, "publish", meanwhile)
    here._tell()
    assert told == ["sync:resync", "sync:bots.updated"]
