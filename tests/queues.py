"""What waits in Celery's queues, whichever broker keeps them."""

import json
from base64 import b64decode
from dataclasses import dataclass
from typing import Any, cast

from kombu import Connection, Exchange, Queue
from redis import Redis

from botyard.settings import get_settings

QUEUES = ("updates", "slow", "outbound", "maintenance")


@dataclass(frozen=True)
class Waiting:
    """A message that nobody has taken yet."""

    headers: dict[str, Any]
    args: list[Any]

    @property
    def task(self) -> str:
        return str(self.headers["task"])


def waiting(queue: str) -> list[Waiting]:
    """The messages of a queue, oldest first; they stay where they are."""
    if get_settings().broker_url is None:
        with Redis.from_url(get_settings().require("redis_url")) as redis:
            return [_read(raw) for raw in reversed(cast("list[bytes]", redis.lrange(queue, 0, -1)))]
    # What is not acknowledged goes back to its place when the connection ends.
    with Connection(get_settings().require("broker_url")) as connection:
        return _got(connection, queue, no_ack=False)


def taken(queue: str) -> list[Waiting]:
    """The messages of a queue, oldest first; they are taken away."""
    if get_settings().broker_url is None:
        with Redis.from_url(get_settings().require("redis_url")) as redis:
            return [_read(raw) for raw in cast("list[bytes]", redis.rpop(queue, 10_000) or [])]
    with Connection(get_settings().require("broker_url")) as connection:
        return _got(connection, queue, no_ack=True)


def empty_rabbitmq() -> None:
    """Drop whatever waits in RabbitMQ, if that is the broker."""
    if get_settings().broker_url is not None:
        with Connection(get_settings().require("broker_url")) as connection:
            for queue in QUEUES:
                _declared(connection, queue).purge()


def _read(raw: bytes) -> Waiting:
    message = json.loads(raw)
    return Waiting(message["headers"], json.loads(b64decode(message["body"]))[0])


def _got(connection: Connection, queue: str, *, no_ack: bool) -> list[Waiting]:
    found, declared = [], _declared(connection, queue)
    while (message := declared.get(no_ack=no_ack)) is not None:
        found.append(Waiting(message.headers, message.payload[0]))
    return found


def _declared(connection: Connection, queue: str) -> Queue:
    declared = Queue(queue, Exchange("", type="direct"), routing_key=queue)(connection.default_channel)
    declared.queue_declare()
    return declared
