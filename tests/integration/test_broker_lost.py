"""What a worker's connection to Redis does, also when it breaks, as far as Celery and Kombu leave it to us."""

import contextlib
import os
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from kombu import Connection, Exchange, Producer, Queue
from redis import Redis
from structlog.testing import capture_logs

from botyard.mailbox.tickets import celery_producer
from tasks.receiving import Transport, YardConsumer
from tests import rabbitmq
from tests.services import Services

_QUEUE = Queue("held", Exchange("", type="direct"), routing_key="held")


@pytest.fixture
def channel(clean: Services) -> Iterator[Any]:
    """A channel with a message in hand, which nobody has acknowledged."""
    transport = f"{Transport.__module__}:{Transport.__name__}"
    options = celery_producer().conf.broker_transport_options
    with Connection(clean.redis_url, transport=transport, transport_options=options) as connection:
        opened: Any = connection.channel()
        Producer(opened).publish({}, routing_key="held")
        assert _QUEUE(opened).get(no_ack=False) is not None
        yield opened


def test_a_connection_that_is_lost_with_messages_in_hand_can_be_closed(channel: Any) -> None:
    transport, connection = channel.connection, channel.connection.client
    transport.client = None  # as Kombu leaves it when it has given the connection up
    with capture_logs() as logs:
        connection.maybe_close_channel(channel)
    transport.client = connection
    assert [one["event"] for one in logs] == ["messages_lost"], "and nothing is written into files of /tmp"


@pytest.mark.skipif(rabbitmq.SERVER in os.environ, reason="the broker is RabbitMQ")
def test_what_a_worker_has_in_hand_is_noted_nowhere_and_goes_back_when_it_leaves(channel: Any, clean: Services) -> None:
    with Redis.from_url(clean.redis_url) as redis:
        assert redis.keys() == []
        channel.close()
        assert redis.llen("held") == 1


def test_one_client_serves_all_commands_of_a_channel(channel: Any) -> None:
    with channel.conn_or_acquire() as one, channel.conn_or_acquire() as another:
        assert one is another
    channel._disconnect_pools()
    with channel.conn_or_acquire() as after:
        assert after is not one
        assert after.ping()


class Later:
    """A hub that does nothing, and notes what it is to do later."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    def call_later(self, seconds: float, _: Any) -> None:
        """As Kombu's."""
        self.asked.append(seconds)


def test_flower_is_told_of_many_tasks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    consumer: Any = object.__new__(YardConsumer)
    consumer.hub = Later()
    now = [100.0]
    monkeypatch.setattr("tasks.receiving.time.monotonic", lambda: now[0])
    for _ in range(5):
        consumer.on_send_event_buffered()
    assert consumer.hub.asked == [0.5]
    now[0] += 0.5  # also if the hub forgot it with the connection
    consumer.on_send_event_buffered()
    assert consumer.hub.asked == [0.5, 0.5]


class Reached:
    """A connection that is there at once, and notes how it was asked to be."""

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}

    def ensure_connection(self, *_: Any, **options: Any) -> "Reached":
        """As Kombu's."""
        self.asked = options
        return self


def test_a_broker_that_is_back_is_reached_within_three_seconds() -> None:
    consumer: Any = object.__new__(YardConsumer)
    consumer.app, consumer.first_connection_attempt = celery_producer(), False
    found = Reached()
    assert consumer.ensure_connected(found) is found
    assert found.asked["interval_max"] <= 3
    assert found.asked["callback"] is not None, "a worker that is told to end does so meanwhile"


class Asked:
    """A broker that notes how many messages it is asked to send."""

    value = 1

    def __init__(self) -> None:
        self.counts: list[int] = []
        self._mutex = contextlib.nullcontext()

    def set(self, count: int) -> None:
        """As Kombu's."""
        self.counts.append(count)


def test_whoever_ends_a_task_never_asks_the_broker_to_send_more() -> None:
    """In a pool of threads that is not the thread which reads the broker's answers."""
    consumer: Any = object.__new__(YardConsumer)
    consumer.app, consumer.qos, consumer.pool = celery_producer(), Asked(), SimpleNamespace(num_processes=8)
    consumer.prefetch_multiplier, consumer._maximum_prefetch_restored = 1, False
    consumer._restore_prefetch_count_after_connection_restart(None)
    assert consumer.qos.counts == []
    consumer.app.conf.worker_enable_prefetch_count_reduction = True
    consumer._restore_prefetch_count_after_connection_restart(None)
    assert consumer.qos.counts == [2], "as Celery would"
