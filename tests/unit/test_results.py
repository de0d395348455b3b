"""Messages of a prefork worker's children, over the loss of the broker's connection."""

import os
import pickle
import struct
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tasks.results import Results

Message = tuple[str, int]


class Hub:
    """Celery's event loop, as far as a pool knows it."""

    def __init__(self) -> None:
        self.readers: dict[int, tuple[Any, tuple[Any, ...]]] = {}

    def add_reader(self, fd: int, callback: Any, *args: Any) -> None:
        """Call it when there is something to read."""
        self.readers[fd] = (callback, args)

    def remove_reader(self, fd: int) -> None:
        """Call it no longer."""
        self.readers.pop(fd, None)

    def reset(self) -> None:
        """What happens when the connection to the broker is lost."""
        self.readers.clear()

    def turn(self, fd: int) -> None:
        """There is something to read."""
        callback, args = self.readers[fd]
        callback(*args)


class Child:
    """A process of the pool."""

    outq = SimpleNamespace(_reader=None)


class Pool:
    """A worker's end of one child's pipe, with what it heard."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        os.set_blocking(self.reading, False)
        self.heard: list[Message] = []
        self.hub = Hub()
        self.child = Child()
        unused = ("outqueue", "get", "poll", "join_exited_workers", "putlock", "restart_state", "check_timeouts")
        self.results: Any = Results(
            **dict.fromkeys((*unused, "on_job_ready", "on_process_alive")),
            cache={}, fileno_to_outq={self.reading: self.child},
        )  # fmt: skip
        self.results.on_state_change = self.heard.append
        self.register()

    def register(self) -> None:
        """As a pool does each time the broker is reached."""
        self.results.register_with_event_loop(self.hub)
        self.hub.add_reader(self.reading, self.results.handle_event, self.reading)

    def say(self, part: bytes) -> None:
        """The child writes, and the worker hears of it."""
        os.write(self.writing, part)
        self.hub.turn(self.reading)


def packed(message: Message) -> bytes:
    content = pickle.dumps(message)
    return struct.pack(">i", len(content)) + content


@pytest.fixture
def pool() -> Iterator[Pool]:
    made = Pool()
    yield made
    os.close(made.reading)
    os.close(made.writing)


def lost(pool: Pool) -> None:
    pool.hub.reset()
    pool.register()


def nothing(_: Pool) -> None:
    """All is well."""


@pytest.mark.parametrize("meanwhile", [nothing, lost])
@pytest.mark.parametrize("read_before", [1, 4, 5, 20])
def test_a_message_that_comes_in_parts_is_heard_and_the_next_one_too(
    pool: Pool, meanwhile: Callable[[Pool], None], read_before: int
) -> None:
    first, second = ("ready", 1), ("ready", 2)
    whole = packed(first)
    pool.say(whole[:read_before])
    meanwhile(pool)
    pool.say(whole[read_before:])
    meanwhile(pool)
    pool.say(packed(second))
    assert pool.heard == [first, second]


def test_a_child_that_is_gone_is_asked_no_more(pool: Pool) -> None:
    pool.results.fileno_to_outq.clear()
    pool.hub.turn(pool.reading)
    assert pool.hub.readers == {}


def test_a_new_child_at_the_same_place_begins_anew(pool: Pool) -> None:
    pool.say(packed(("ready", 1))[:6])
    os.close(pool.reading)
    os.close(pool.writing)
    pool.reading, pool.writing = os.pipe()
    os.set_blocking(pool.reading, False)
    pool.results.fileno_to_outq[pool.reading] = pool.child = Child()
    pool.register()
    pool.say(packed(("ready", 2)))
    assert pool.heard == [("ready", 2)]


def test_what_was_read_in_part_is_read_to_its_end_when_the_worker_ends(pool: Pool) -> None:
    whole = packed(("ready", 1))
    pool.say(whole[:6])
    os.write(pool.writing, whole[6:])
    assert pool.results._finish_partial_read(pool.reading, pool.child) is False
    assert pool.heard == [("ready", 1)]
