"""What a worker does when its connection to Redis breaks, as far as Celery and Kombu leave it to us."""

from collections.abc import Iterator
from typing import Any

import pytest
from kombu import Connection, Exchange, Producer, Queue

from botyard.mailbox.tickets import celery_producer
from tasks.receiving import Transport, YardConsumer
from tests.services import Services

_QUEUE = Queue("held", Exchange("", type="direct"), routing_key="held")


@pytest.fixture
def channel(clean: Services) -> Iterator[Any]:
    """A channel with a message in hand, which nobody has acknowledged."""
    with Connection(clean.redis_url, transport=f"{Transport.__module__}:{Transport.__name__}") as connection:
        opened: Any = connection.channel()
        Producer(opened).publish({}, routing_key="held")
        assert _QUEUE(opened).get(no_ack=False) is not None
        yield opened


def test_a_connection_that_is_lost_with_messages_in_hand_can_be_closed(channel: Any) -> None:
    connection = channel.connection.client
    channel.connection.client = None  # as Kombu leaves it when it has given the connection up
    connection.maybe_close_channel(channel)
    channel.connection.client = connection


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
