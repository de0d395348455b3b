import time

import pytest

from botyard.sync.cache import Cache
from botyard.sync.errors import NotAnId
from botyard.sync.service import SyncService


def test_a_value_is_kept_until_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(10)
    cache.set("bot:1", "one", 60)
    assert cache.get("bot:1") == "one"
    later = time.monotonic() + 61
    monkeypatch.setattr("botyard.sync.cache.time.monotonic", lambda: later)
    assert cache.get("bot:1", "gone") == "gone"
    assert len(cache) == 0


def test_the_least_recently_used_values_make_room() -> None:
    cache = Cache(2)
    cache.set("a", 1, 60)
    cache.set("b", 2, 60)
    assert cache.get("a") == 1
    cache.set("c", 3, 60)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (1, None, 3)


def test_a_key_is_dropped_alone_and_a_prefix_with_all_that_begin_so() -> None:
    cache = Cache(10)
    for key in ("bot:1", "bot:12", "bot:12:menu", "identity:1"):
        cache.set(key, key, 60)
    assert cache.invalidate("bot:1") == 1
    assert cache.get("bot:12") == "bot:12"
    assert cache.invalidate("bot:12*") == 2
    assert cache.invalidate("bot:9") == 0
    assert cache.get("identity:1") == "identity:1"


def test_what_was_read_before_a_change_is_not_kept_after_it() -> None:
    cache = Cache(10)

    def read() -> str:
        cache.invalidate("bot:1")  # the change is heard while the old row is being read
        return "old"

    assert cache.load("bot:1", 60, read) == "old"
    assert cache.get("bot:1") is None
    assert cache.load("bot:1", 60, lambda: "new") == "new"
    assert cache.load("bot:1", 60, lambda: "not read") == "new"


def test_a_value_of_nothing_is_a_value() -> None:
    cache = Cache(10)
    assert cache.load("menu", 60, lambda: None) is None
    assert cache.load("menu", 60, lambda: "read again") is None


@pytest.mark.parametrize(
    "data",
    [{"text": "x" * 65}, {"body": {"a": 1}}, {"ids": [1, 2]}, {"price": 1.5}, {"raw": b"1"}],
    ids=["long", "dictionary", "list", "fraction", "bytes"],
)
def test_an_event_with_contents_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(NotAnId, match=next(iter(data))):
        SyncService(None).publish("bots.updated", data)  # type: ignore[arg-type]


@pytest.mark.parametrize("event", ["", "Bots", "bots..x", "bots.*", "bots updated", "1"])
def test_an_event_has_a_name(event: str) -> None:
    with pytest.raises(NotAnId):
        SyncService(None).publish(event, {})


def test_handlers_hear_their_event_its_prefix_or_everything_until_they_are_taken_off() -> None:
    sync, heard = SyncService(None), list[tuple[str, str]]()
    ends = [
        sync.on(pattern, lambda event, _, pattern=pattern: heard.append((pattern, event)))  # type: ignore[misc]
        for pattern in ("bots.updated", "bots.*", "*", "customers.*")
    ]
    sync.publish("bots.updated", {"id": 1})
    sync.publish("bots.created", {"id": 2})
    assert heard == [
        ("bots.updated", "bots.updated"), ("bots.*", "bots.updated"), ("*", "bots.updated"),
        ("bots.*", "bots.created"), ("*", "bots.created"),
    ]  # fmt: skip
    for end in ends:
        end()
    sync.publish("bots.updated", {"id": 1})
    assert len(heard) == 5


def test_a_handler_that_raises_keeps_nobody_else_from_hearing() -> None:
    sync, heard = SyncService(None), list[str]()

    def broken(event: str, _: object) -> None:
        raise ValueError(event)

    sync.on("*", broken)
    sync.on("*", lambda event, _: heard.append(event))
    sync.publish("bots.updated", {"id": 1})
    assert heard == ["bots.updated"]


def test_a_process_without_redis_is_alone_and_says_so() -> None:
    sync = SyncService(None)
    sync.start()
    assert not sync.is_watching
    sync.stop()
